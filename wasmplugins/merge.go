package wasmplugins

import (
	"cmp"
	"encoding/binary"
	"slices"

	"octopus/wasmplugins/internal/wasmbin"
)

// maxGap is how many zeroes between two data segments are written out to make
// one of them. Go's linker leaves out each run of a few, which makes tens of
// thousands of segments; an instance takes a tenth of a microsecond for each.
const maxGap = 64

// segment is an active data segment; at is where in memory it goes.
type segment struct {
	at   uint32
	data []byte
}

func (s segment) end() uint64 { return uint64(s.at) + uint64(len(s.data)) }

// mergeData returns the module with fewer data segments that say the same. A
// module that may use them later (it counts them before its code), that has
// others than plain ones, or some that overlap, is returned as it is.
func mergeData(module []byte) []byte {
	var data section
	counts := false
	_ = sections(module, func(s section) bool {
		counts = counts || s.id == secDataCount
		if s.id == secData {
			data = s
		}
		return true
	})
	list := activeSegments(data.body)
	if counts || len(list) < 2 {
		return module
	}
	slices.SortStableFunc(list, func(a, b segment) int { return cmp.Compare(a.at, b.at) })
	groups := 1
	for i := 1; i < len(list); i++ {
		switch before, at := list[i-1].end(), uint64(list[i].at); {
		case at < before:
			return module
		case at-before > maxGap:
			groups++
		}
	}
	if groups == len(list) {
		return module
	}
	body := appendSegments(make([]byte, 0, len(data.body)+maxGap*len(list)), list, groups)
	out := make([]byte, 0, len(module)-len(data.body)+len(body)+8)
	out = append(append(out, module[:data.start]...), secData)
	out = binary.AppendUvarint(out, uint64(len(body)))
	out = append(out, body...)
	return append(out, module[data.end:]...)
}

// activeSegments reads a data section; nil where it holds anything but plain
// bytes for constant places.
func activeSegments(body []byte) []segment {
	r := wasmbin.Reader{Raw: body}
	n := r.U32()
	if n > maxSegments {
		return nil
	}
	list := make([]segment, 0, n)
	for range n {
		flags, op := r.U32(), r.Byte()
		at, end := r.S32(), r.Byte()
		list = append(list, segment{uint32(at), r.Take(r.U32())})
		if r.Bad || flags != 0 || op != opI32Const || end != opEnd {
			return nil
		}
	}
	return list
}

// appendSegments writes a data section of sorted segments that do not overlap.
func appendSegments(out []byte, list []segment, groups int) []byte {
	out = binary.AppendUvarint(out, uint64(groups))
	for i := 0; i < len(list); {
		next := i + 1
		for next < len(list) && uint64(list[next].at)-list[next-1].end() <= maxGap {
			next++
		}
		out = appendSigned(append(out, 0, opI32Const), int32(list[i].at))
		out = binary.AppendUvarint(append(out, opEnd), list[next-1].end()-uint64(list[i].at))
		for at := uint64(list[i].at); i < next; i++ {
			out = append(out, zeroes[:uint64(list[i].at)-at]...)
			out = append(out, list[i].data...)
			at = list[i].end()
		}
	}
	return out
}

var zeroes [maxGap]byte

const (
	opEnd      = 0x0b
	opI32Const = 0x41
)

// appendSigned writes a signed LEB128.
func appendSigned(out []byte, v int32) []byte {
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return append(out, b)
		}
		out = append(out, b|0x80)
	}
}
