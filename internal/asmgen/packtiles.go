package asmgen

func packTiles(u *unit) {}
