package fuel

import "errors"

// errMalformed is a module that no compiler would take.
var errMalformed = errors.New("the module is broken")

// reader walks bytes. Reading past the end sets bad and returns zeroes, so
// that callers check once.
type reader struct {
	raw []byte
	pos int
	bad bool
}

func (r *reader) left() int { return len(r.raw) - r.pos }

func (r *reader) byte() byte {
	if r.pos >= len(r.raw) {
		r.bad = true
		return 0
	}
	r.pos++
	return r.raw[r.pos-1]
}

// u32 reads an unsigned LEB128 of at most 32 bits.
func (r *reader) u32() uint32 {
	var v uint32
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		if shift == 28 && b > 0x0f {
			break
		}
		v |= uint32(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	r.bad = true
	return 0
}

// count reads the length of a vector, whose elements take a byte at least.
func (r *reader) count() int {
	n := r.u32()
	if uint64(n) > uint64(r.left()) {
		r.bad = true
		return 0
	}
	return int(n)
}

// take returns the next n bytes, which alias the module.
func (r *reader) take(n uint32) []byte {
	if uint64(n) > uint64(r.left()) {
		r.bad = true
		r.pos = len(r.raw)
		return nil
	}
	r.pos += int(n)
	return r.raw[r.pos-int(n) : r.pos]
}

// limits skips a minimum and perhaps a maximum.
func (r *reader) limits() {
	flags := r.byte()
	r.u32()
	if flags&1 != 0 {
		r.u32()
	}
}

// skipLEB skips one LEB128 of any width up to ten bytes.
func (r *reader) skipLEB() {
	pos := afterLEB(r.raw, r.pos)
	r.bad = r.bad || pos > len(r.raw)
	r.pos = min(pos, len(r.raw))
}

// afterLEB is where a LEB128 of up to ten bytes ends; beyond the end of raw
// where it does not.
func afterLEB(raw []byte, pos int) int {
	for i := pos; i < len(raw) && i < pos+10; i++ {
		if raw[i] < 0x80 {
			return i + 1
		}
	}
	return len(raw) + 1
}
