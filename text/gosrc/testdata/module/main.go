// Shapes prints the area of a circle and stops.
package main

import "example.org/shapes/shape"

// Main is exported from a package that nobody can import.
func Main() { main() }

func main() { println((&shape.Circle{R: 1}).Area()) }
