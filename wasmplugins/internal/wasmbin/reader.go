// Package wasmbin reads the binary format of WebAssembly modules (specification, chapter 5), as far as checks and rewriting
// need it.
package wasmbin

// Reader walks bytes. Reading past the end sets Bad and returns zeroes, so
// that callers check once.
type Reader struct {
	Raw []byte
	Pos int
	Bad bool
}

// Left is how many bytes were not read yet.
func (r *Reader) Left() int { return len(r.Raw) - r.Pos }

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if r.Pos >= len(r.Raw) {
		r.Bad = true
		return 0
	}
	r.Pos++
	return r.Raw[r.Pos-1]
}

// U32 reads an unsigned LEB128 of at most 32 bits.
func (r *Reader) U32() uint32 {
	var v uint32
	for shift := 0; shift < 35; shift += 7 {
		b := r.Byte()
		if shift == 28 && b > 0x0f {
			break
		}
		v |= uint32(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	r.Bad = true
	return 0
}

// Count reads the length of a vector, whose elements take a byte at least.
func (r *Reader) Count() int {
	n := r.U32()
	if uint64(n) > uint64(r.Left()) {
		r.Bad = true
		return 0
	}
	return int(n)
}

// Take returns the next n bytes, which alias Raw.
func (r *Reader) Take(n uint32) []byte {
	if uint64(n) > uint64(r.Left()) {
		r.Bad = true
		r.Pos = len(r.Raw)
		return nil
	}
	r.Pos += int(n)
	return r.Raw[r.Pos-int(n) : r.Pos]
}

// Name reads a vector of bytes as text.
func (r *Reader) Name() string { return string(r.Take(r.U32())) }

// Limits skips a minimum and perhaps a maximum.
func (r *Reader) Limits() {
	flags := r.Byte()
	r.U32()
	if flags&1 != 0 {
		r.U32()
	}
}

// SkipLEB skips one LEB128 of any width up to ten bytes.
func (r *Reader) SkipLEB() {
	pos := AfterLEB(r.Raw, r.Pos)
	r.Bad = r.Bad || pos > len(r.Raw)
	r.Pos = min(pos, len(r.Raw))
}

// S32 reads a signed LEB128 of at most 32 bits.
func (r *Reader) S32() int32 {
	var v int64
	for shift := 0; shift < 35; shift += 7 {
		b := r.Byte()
		v |= int64(b&0x7f) << shift
		if b < 0x80 {
			if b&0x40 != 0 {
				v |= -1 << (shift + 7)
			}
			return int32(v)
		}
	}
	r.Bad = true
	return 0
}

// AfterLEB is where a LEB128 of up to ten bytes ends; beyond the end of raw
// where it does not. Most take one byte, which callers have inlined.
func AfterLEB(raw []byte, pos int) int {
	if pos < len(raw) && raw[pos] < 0x80 {
		return pos + 1
	}
	return afterLong(raw, pos)
}

func afterLong(raw []byte, pos int) int {
	for i := pos; i < len(raw) && i < pos+10; i++ {
		if raw[i] < 0x80 {
			return i + 1
		}
	}
	return len(raw) + 1
}
