package foundling

// Decode is for tests.
var Decode = decode
