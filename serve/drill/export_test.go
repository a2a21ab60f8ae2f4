package drill

// Grown says whether memory grew.
func (r *SoakReport) Grown() []string { return r.grown() }
