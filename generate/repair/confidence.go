package repair

func confidence(list []Change) float64 {
	if len(list) == 0 {
		return 1
	}
	return .9
}
