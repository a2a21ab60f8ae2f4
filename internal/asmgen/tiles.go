package asmgen

func mulTiles(u *unit, a, b int) {}
