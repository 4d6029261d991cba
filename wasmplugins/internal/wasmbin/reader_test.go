package wasmbin

import (
	"bytes"
	"testing"
)

// TestNumbers: LEB128 at the edges of what 32 bits hold, and what is longer or cut off.
func TestNumbers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		raw  []byte
		want uint32
		bad  bool
	}{
		{[]byte{0}, 0, false}, {[]byte{0x7f}, 127, false}, {[]byte{0x80, 1}, 128, false}, {[]byte{0x80, 0}, 0, false},
		{[]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, 1<<32 - 1, false}, {[]byte{0xff, 0xff, 0xff, 0xff, 0x1f}, 0, true},
		{[]byte{0x80, 0x80, 0x80, 0x80, 0x80, 0}, 0, true}, {[]byte{0x80}, 0, true}, {nil, 0, true},
	} {
		r := Reader{Raw: c.raw}
		if got := r.U32(); got != c.want || r.Bad != c.bad {
			t.Errorf("%x: %d, bad %t", c.raw, got, r.Bad)
		}
	}
	for _, c := range []struct {
		raw  []byte
		want int32
		bad  bool
	}{
		{[]byte{0x3f}, 63, false}, {[]byte{0x40}, -64, false}, {[]byte{0x7f}, -1, false}, {[]byte{0xc0, 0}, 64, false},
		{[]byte{0x80, 0x80, 0x80, 0x80, 0x78}, -1 << 31, false}, {[]byte{0xff, 0xff, 0xff, 0xff, 0x07}, 1<<31 - 1, false}, {[]byte{0xff}, 0, true},
	} {
		r := Reader{Raw: c.raw}
		if got := r.S32(); r.Bad != c.bad || !c.bad && got != c.want {
			t.Errorf("%x: %d, bad %t", c.raw, got, r.Bad)
		}
	}
	for raw, want := range map[string]int{"\x01": 1, "\x80\x01": 2, "\x80": 2, "": 1, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01": 12} {
		if got := AfterLEB([]byte(raw), 0); got != want {
			t.Errorf("%x ends at %d, not %d", raw, got, want)
		}
	}
}

// TestPastTheEnd: what is not there reads as nothing and stays bad.
func TestPastTheEnd(t *testing.T) {
	t.Parallel()
	r := Reader{Raw: []byte("\x03abc\x02z")}
	if got := r.Name(); got != "abc" || r.Bad || r.Left() != 2 {
		t.Fatalf("%q, %d left, bad %t", got, r.Left(), r.Bad)
	}
	if got := r.Take(r.U32()); got != nil || !r.Bad || r.Left() != 0 {
		t.Errorf("%q, %d left, bad %t", got, r.Left(), r.Bad)
	}
	if r.Byte() != 0 || r.U32() != 0 || r.Name() != "" || !r.Bad {
		t.Errorf("%+v", r)
	}
	r = Reader{Raw: []byte{5, 1, 2}}
	if n := r.Count(); n != 0 || !r.Bad {
		t.Errorf("a vector of %d in two bytes, bad %t", n, r.Bad)
	}
	r = Reader{Raw: []byte{1, 2, 3, 0, 4, 9}}
	if r.Limits(); r.Pos != 3 || r.Bad {
		t.Errorf("a minimum and a maximum end at %d", r.Pos)
	}
	if r.Limits(); r.Pos != 5 || !bytes.Equal(r.Take(1), []byte{9}) {
		t.Errorf("a minimum ends at %d", r.Pos)
	}
	if r.SkipLEB(); !r.Bad {
		t.Error("a number behind the end")
	}
}
