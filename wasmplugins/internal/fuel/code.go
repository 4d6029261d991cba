package fuel

import (
	"encoding/binary"
	"fmt"
	"math"
)

// code rewrites the code section.
func (rw *rewriter) code(body []byte) error {
	r := reader{raw: body}
	n := r.u32()
	if r.bad || uint64(n) != uint64(len(rw.functions)-rw.imported) {
		return errMalformed
	}
	code := binary.AppendUvarint(make([]byte, 0, len(body)+len(body)/2), uint64(n))
	for i, typ := range rw.functions[rw.imported:] {
		function := r.take(r.u32())
		if r.bad || uint64(typ) >= uint64(len(rw.types)) {
			return errMalformed
		}
		if err := rw.function(function, rw.types[typ].params); err != nil {
			return fmt.Errorf("function %d: %w", rw.imported+i, err)
		}
		code = binary.AppendUvarint(code, uint64(len(rw.scratch)))
		code = append(code, rw.scratch...)
	}
	if r.left() > 0 {
		return errMalformed
	}
	rw.out = appendSection(rw.out, secCode, code)
	return nil
}

// function rewrites one body into scratch.
func (rw *rewriter) function(body []byte, params uint32) error {
	r := reader{raw: body}
	groups, locals := r.u32(), uint64(params)
	from := r.pos
	for i := uint32(0); i < groups && !r.bad; i++ {
		locals += uint64(r.u32())
		r.byte()
	}
	if r.bad || locals >= math.MaxUint32 {
		return errMalformed
	}
	w := &rw.walker
	if err := w.walk(body, r.pos, locals); err != nil {
		return err
	}
	added := uint64(1)
	if w.bulk {
		added++ // a length is needed twice
	}
	e := emitter{out: binary.AppendUvarint(rw.scratch[:0], uint64(groups)+added), global: uint64(rw.global), left: locals, length: locals + 1}
	e.out = append(append(e.out, body[from:r.pos]...), 1, typeI64)
	if w.bulk {
		e.out = append(e.out, 1, typeI32)
	}
	e.load()
	done := r.pos
	for _, p := range w.points {
		if p.cost == 0 {
			continue
		}
		e.out = append(e.out, body[done:p.at]...)
		done = int(p.at)
		e.point(p)
	}
	rw.scratch = append(e.out, body[done:]...)
	return nil
}

// emitter writes the instructions that pay. Within a function what is left is
// in a local, where a compiler keeps it in a register; the global has it
// whenever other code runs.
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
		e.pay()
	case paysMemory, paysTable:
		e.index(opLocalTee, e.length)
		e.index(opLocalGet, e.left)
		e.index(opLocalGet, e.length)
		e.out = append(e.out, opI64ExtendI32U)
		if p.kind == paysMemory {
			e.out = append(e.out, opI64Const, memoryShift, opI64ShrU)
		}
		e.pay()
	}
}

// pay subtracts, and traps where that leaves less than nothing.
func (e *emitter) pay() {
	e.out = append(e.out, opI64Sub)
	e.index(opLocalTee, e.left)
	e.out = append(e.out, opI64Const, 0, opI64LtS, opIf, typeNothing)
	e.save()
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
