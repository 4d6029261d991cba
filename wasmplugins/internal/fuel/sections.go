package fuel

import (
	"encoding/binary"
	"fmt"

	"octopus/wasmplugins/internal/wasmbin"
)

// place is where a section stands among those that have an order.
func place(id byte) int {
	if id == secDataCount {
		return 19
	}
	return 2 * int(id)
}

// section copies one section, rewritten where need be. whole includes its head.
func (rw *rewriter) section(id byte, body, whole []byte) error {
	if id != secCustom {
		if err := rw.missing(place(id)); err != nil {
			return err
		}
	}
	switch id {
	case secGlobal:
		rw.globalDone = true
		rw.out = appendSection(rw.out, secGlobal, rw.withGlobal(body))
	case secExport:
		rw.exportDone = true
		exports, err := rw.withExports(body)
		if err != nil {
			return err
		}
		rw.out = appendSection(rw.out, secExport, exports)
	case secStart:
	case secCode:
		return rw.code(body)
	default:
		rw.out = append(rw.out, whole...)
	}
	return nil
}

// missing adds the sections that the module lacks, before the one at a place.
func (rw *rewriter) missing(next int) error {
	if !rw.globalDone && next > place(secGlobal) {
		rw.globalDone = true
		rw.out = appendSection(rw.out, secGlobal, rw.withGlobal([]byte{0}))
	}
	if !rw.exportDone && next > place(secExport) {
		rw.exportDone = true
		exports, err := rw.withExports([]byte{0})
		if err != nil {
			return err
		}
		rw.out = appendSection(rw.out, secExport, exports)
	}
	return nil
}

// withGlobal adds the counter to a global section.
func (rw *rewriter) withGlobal(body []byte) []byte {
	r := wasmbin.Reader{Raw: body}
	n := r.U32()
	out := binary.AppendUvarint(make([]byte, 0, len(body)+16), uint64(n)+1)
	out = append(out, body[r.Pos:]...)
	return append(out, typeI64, 1, opI64Const, 0, opEnd)
}

// withExports adds the counter and the start function to an export section.
func (rw *rewriter) withExports(body []byte) ([]byte, error) {
	r := wasmbin.Reader{Raw: body}
	n := r.U32()
	rest := body[r.Pos:]
	for i := uint32(0); i < n && !r.Bad; i++ {
		name, kind, index := r.Take(r.U32()), r.Byte(), r.U32()
		if string(name) == Global || string(name) == Start {
			return nil, fmt.Errorf("the module exports %q, a name that the host needs where fuel is counted. Rename the export", name)
		}
		if kind == 3 && index >= rw.global {
			return nil, errMalformed
		}
	}
	if r.Bad || r.Left() > 0 {
		return nil, errMalformed
	}
	added := uint64(1)
	if rw.hasStart {
		added++
	}
	out := binary.AppendUvarint(make([]byte, 0, len(body)+64), uint64(n)+added)
	out = appendExport(append(out, rest...), Global, 3, rw.global)
	if rw.hasStart {
		out = appendExport(out, Start, 0, rw.start)
	}
	return out, nil
}

func appendExport(out []byte, name string, kind byte, index uint32) []byte {
	out = binary.AppendUvarint(out, uint64(len(name)))
	out = append(append(out, name...), kind)
	return binary.AppendUvarint(out, uint64(index))
}

func appendSection(out []byte, id byte, body []byte) []byte {
	out = binary.AppendUvarint(append(out, id), uint64(len(body)))
	return append(out, body...)
}
