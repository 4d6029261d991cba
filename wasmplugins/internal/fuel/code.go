package fuel

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"octopus/wasmplugins/internal/wasmbin"
)

// code rewrites the code section, straight into what comes out: a module may
// have 32 MiB of it, which is not copied twice.
func (rw *rewriter) code(body []byte) error {
	r := wasmbin.Reader{Raw: body}
	n := r.U32()
	if r.Bad || uint64(n) != uint64(len(rw.functions)-rw.imported) {
		return errMalformed
	}
	section := rw.begin(secCode, len(body))
	rw.out = binary.AppendUvarint(rw.out, uint64(n))
	for i, typ := range rw.functions[rw.imported:] {
		function := r.Take(r.U32())
		if r.Bad || uint64(typ) >= uint64(len(rw.types)) {
			return errMalformed
		}
		if err := rw.function(function, rw.types[typ].params); err != nil {
			return fmt.Errorf("function %d: %w", rw.imported+i, err)
		}
	}
	if r.Left() > 0 {
		return errMalformed
	}
	rw.finish(section)
	return nil
}

// vector is a length that is being written: what it counts comes behind it.
type vector struct{ at, room int }

// begin writes an id and leaves room for a length that is probably like the
// expected one.
func (rw *rewriter) begin(id byte, expected int) vector {
	rw.out = append(rw.out, id)
	return rw.beginVector(expected)
}

func (rw *rewriter) beginVector(expected int) vector {
	v := vector{len(rw.out), lengthOf(expected)}
	rw.out = append(rw.out, noLength[:v.room]...)
	return v
}

// finish writes the length. Where that takes more room than was left what
// comes behind it moves.
func (rw *rewriter) finish(v vector) {
	n := len(rw.out) - v.at - v.room
	if more := lengthOf(n) - v.room; more > 0 {
		rw.out = slices.Insert(rw.out, v.at, noLength[:more]...)
	} else if more < 0 {
		rw.out = slices.Delete(rw.out, v.at, v.at-more)
	}
	binary.PutUvarint(rw.out[v.at:], uint64(n))
}

var noLength [binary.MaxVarintLen64]byte

// lengthOf is how many bytes a number takes as LEB128.
func lengthOf(n int) int { return (max(bits.Len(uint(n)), 1) + 6) / 7 }

// function rewrites one body.
func (rw *rewriter) function(body []byte, params uint32) error {
	r := wasmbin.Reader{Raw: body}
	groups, locals := r.U32(), uint64(params)
	from := r.Pos
	for i := uint32(0); i < groups && !r.Bad; i++ {
		locals += uint64(r.U32())
		r.Byte()
	}
	if r.Bad || locals >= math.MaxUint32 {
		return errMalformed
	}
	w := &rw.walker
	if err := w.walk(body, r.Pos, locals); err != nil {
		return err
	}
	added := uint64(1)
	if w.bulk {
		added++ // a length is needed twice
	}
	v := rw.beginVector(len(body))
	e := emitter{out: binary.AppendUvarint(rw.out, uint64(groups)+added), global: uint64(rw.global), left: locals, length: locals + 1}
	e.out = append(append(e.out, body[from:r.Pos]...), 1, typeI64)
	if w.bulk {
		e.out = append(e.out, 1, typeI32)
	}
	e.load()
	done := r.Pos
	for _, p := range w.points {
		if p.cost == 0 {
			continue
		}
		e.out = append(e.out, body[done:p.at]...)
		done = int(p.at)
		e.point(p)
	}
	rw.out = append(e.out, body[done:]...)
	rw.finish(v)
	return nil
}

// emitter writes the instructions that pay. Within a function what is left is
// in a local, where a compiler keeps it in a register; the global has it
// whenever other code runs, and at each round of a loop. That only stores:
// loading it again would have each round wait for the store of the last.
type emitter struct {
	out                  []byte
	global, left, length uint64
}

func (e *emitter) index(op byte, index uint64) {
	e.out = binary.AppendUvarint(append(e.out, op), index)
}

func (e *emitter) load() {
	e.index(opGlobalGet, e.global)
	e.index(opLocalSet, e.left)
}

func (e *emitter) save() {
	e.index(opLocalGet, e.left)
	e.index(opGlobalSet, e.global)
}

func (e *emitter) point(p point) {
	switch p.kind {
	case loads:
		e.load()
	case saves:
		e.save()
	case paysCode:
		e.index(opLocalGet, e.left)
		e.out = appendSigned(append(e.out, opI64Const), int64(p.cost))
		e.pay(p.loop)
	case paysMemory, paysTable:
		e.index(opLocalTee, e.length)
		e.index(opLocalGet, e.left)
		e.index(opLocalGet, e.length)
		e.out = append(e.out, opI64ExtendI32U)
		if p.kind == paysMemory {
			e.out = append(e.out, opI64Const, memoryShift, opI64ShrU)
		}
		e.pay(false)
	}
}

// pay subtracts, and traps where that leaves less than nothing. The global is
// told before a trap, and where a round begins.
func (e *emitter) pay(round bool) {
	e.out = append(e.out, opI64Sub)
	e.index(opLocalTee, e.left)
	if round {
		e.index(opGlobalSet, e.global)
		e.index(opLocalGet, e.left)
	}
	e.out = append(e.out, opI64Const, 0, opI64LtS, opIf, typeNothing)
	if !round {
		e.save()
	}
	e.out = append(e.out, opUnreachable, opEnd)
}

// appendSigned writes a signed LEB128.
func appendSigned(out []byte, v int64) []byte {
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return append(out, b)
		}
		out = append(out, b|0x80)
	}
}
