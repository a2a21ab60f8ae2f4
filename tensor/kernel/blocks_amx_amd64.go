//go:build !purego

package kernel

const (
	dotTileRows = 16
	tileScratch = 64 + dotTileRows*128 // of dotTiles: configuration and sums of two blocks
)

// blocksAMX takes rows by sixteens with tiles, the rest and single ones as
// AVX-512 does, with the same bits.
func blocksAMX() blockKernels {
	k := blocksAVX512(true)
	few, most := k.dot, k.rows
	k.rows, k.scratch = dotTileRows, tileScratch
	k.dot = func(c *dotCall) {
		if c.rows == dotTileRows && c.blocks > 0 {
			dotByTiles(c)
			return
		}
		all := *c
		for done := 0; done < all.rows; done += most {
			c.rows = min(most, all.rows-done)
			c.a, c.out = all.a[done*all.aRow:], all.out[done*all.outRow:]
			if all.in != nil {
				c.in = all.in[done*all.inRow:]
			}
			few(c)
		}
		*c = all
	}
	return k
}

// dotByTiles sets the shapes of tiles: sums of 16 x 16, activations of 16 rows and
// the codes of a block, weights of a quarter as many rows.
func dotByTiles(c *dotCall) {
	config := (*[64]byte)(c.tiles)
	*config = [64]byte{0: 1} // palette 1
	for tile, size := range [][2]int{{dotTileRows, 64}, {dotTileRows, c.sub}, {c.sub / 4, 64}} {
		config[16+2*tile], config[48+tile] = byte(size[1]), byte(size[0])
	}
	f := dotTiles
	if c.mins != nil {
		f = dotTilesMin
	}
	f(start(c.w), start(c.scales), start(c.mins), start(c.a), c.aRow, c.blocks, c.sub/4, c.skip,
		start(c.in), c.inRow*4, start(c.out), c.outRow*4, c.tiles)
}
