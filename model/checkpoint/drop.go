package checkpoint

import "unsafe"

// Drop gives back the memory of the mapped file that holds t's values. They can
// be used afterwards, and are read from the file again.
func (f *File) Drop(t *Tensor) {
	if len(t.Data) == 0 {
		return
	}
	at := uintptr(unsafe.Pointer(unsafe.SliceData(t.Data)))
	for _, m := range f.maps {
		if len(m) == 0 {
			continue
		}
		start := uintptr(unsafe.Pointer(unsafe.SliceData(m)))
		if at >= start && at+uintptr(len(t.Data)) <= start+uintptr(len(m)) {
			dropPages(t.Data)
			return
		}
	}
}

// Fetch asks the system for all of t's values at once, where they lie in a mapped
// file: that costs less than a fault for every page.
func (t *Tensor) Fetch() { fetchPages(t.Data) }
