package fuel

import (
	"fmt"

	"octopus/wasmplugins/internal/wasmbin"
)

// Instructions that the rewriter writes, or whose meaning it needs.
const (
	opUnreachable   = 0x00
	opBlock         = 0x02
	opLoop          = 0x03
	opIf            = 0x04
	opElse          = 0x05
	opEnd           = 0x0b
	opBr            = 0x0c
	opBrIf          = 0x0d
	opBrTable       = 0x0e
	opReturn        = 0x0f
	opCall          = 0x10
	opCallIndirect  = 0x11
	opSelectTyped   = 0x1c
	opLocalGet      = 0x20
	opLocalSet      = 0x21
	opLocalTee      = 0x22
	opGlobalGet     = 0x23
	opGlobalSet     = 0x24
	opMemoryGrow    = 0x40
	opI64Const      = 0x42
	opF32Const      = 0x43
	opF64Const      = 0x44
	opI64LtS        = 0x53
	opI64Sub        = 0x7d
	opI64ShrU       = 0x88
	opI64ExtendI32U = 0xad
	opRefNull       = 0xd0
	opBulk          = 0xfc
	opSIMD          = 0xfd
)

const (
	typeNothing = 0x40
	typeI32     = 0x7f
	typeI64     = 0x7e
)

// Prices of what leaves the guest: memory.grow and table.grow, and calling an
// import.
const (
	priceGrow = 64
	priceHost = 256
)

// What follows an opcode.
const (
	immUnknown = iota
	immNone
	immFree // none, and it costs nothing
	immLEB
	immTwoLEB
	immLocal
	immBlock
	immEnd
	immRare
)

// immediates maps each opcode of one byte. What is not in here is refused.
var immediates = func() (t [256]uint8) {
	set := func(kind uint8, from, to int) {
		for i := from; i <= to; i++ {
			t[i] = kind
		}
	}
	set(immRare, opUnreachable, opUnreachable)
	set(immFree, 0x01, 0x01) // nop
	set(immBlock, opBlock, opIf)
	set(immRare, opElse, opElse)
	set(immEnd, opEnd, opEnd)
	set(immRare, opBr, opReturn)
	set(immRare, opCall, opCallIndirect)
	set(immFree, 0x1a, 0x1a) // drop
	set(immNone, 0x1b, 0x1b) // select
	set(immRare, opSelectTyped, opSelectTyped)
	set(immLocal, opLocalGet, opLocalTee)
	set(immRare, opGlobalGet, opGlobalSet)
	set(immLEB, 0x25, 0x26)    // table.get, table.set
	set(immTwoLEB, 0x28, 0x3e) // loads and stores
	set(immLEB, 0x3f, 0x3f)    // memory.size
	set(immRare, opMemoryGrow, opMemoryGrow)
	set(immLEB, 0x41, opI64Const)
	set(immRare, opF32Const, opF64Const)
	set(immNone, 0x45, 0xc4) // arithmetic
	set(immRare, opRefNull, opRefNull)
	set(immNone, 0xd1, 0xd1) // ref.is_null
	set(immLEB, 0xd2, 0xd2)  // ref.func
	set(immRare, opBulk, opSIMD)
	return t
}()

// rare handles what leads elsewhere, what has a price of its own, and what
// bodies have few of. r stands after the opcode, which is at at.
func (w *walker) rare(op byte, at int, r *wasmbin.Reader) error {
	switch op {
	case opElse:
		if w.nested == 0 && !w.frames[len(w.frames)-1].isIf {
			return errMalformed
		}
		w.otherwise()
		return nil
	case opMemoryGrow:
		w.spend(at, priceGrow)
	default:
		w.spend(at, 1)
	}
	switch op {
	case opUnreachable:
		w.leave()
	case opBr, opBrIf, opBrTable, opReturn:
		return w.jump(op, at, r)
	case opCall:
		host := r.U32() < w.imported
		if host {
			w.spend(at, priceHost-1)
		}
		w.call(at, r.Pos, host)
	case opCallIndirect:
		r.SkipLEB()
		r.SkipLEB()
		w.call(at, r.Pos, false)
	case opGlobalGet, opGlobalSet:
		return w.global(r.U32())
	case opMemoryGrow:
		r.SkipLEB()
	case opSelectTyped:
		r.Take(r.U32())
	case opF32Const:
		r.Take(4)
	case opF64Const:
		r.Take(8)
	case opRefNull:
		r.Byte()
	case opBulk:
		return w.bulkOp(at, r)
	case opSIMD:
		return simd(r)
	default:
		return fmt.Errorf("the instruction 0x%02x is unknown", op)
	}
	return nil
}

// jump handles the branches.
func (w *walker) jump(op byte, at int, r *wasmbin.Reader) error {
	switch op {
	case opBr, opBrIf:
		if err := w.branch(at, r.U32()); err != nil {
			return err
		}
	case opBrTable:
		n := r.Count()
		for i := 0; i <= n && !r.Bad; i++ {
			if err := w.branch(at, r.U32()); err != nil {
				return err
			}
		}
	case opReturn:
		if err := w.branch(at, uint32(len(w.frames)-1)); err != nil {
			return err
		}
	}
	if op == opBrIf {
		w.maybe()
	} else {
		w.leave()
	}
	return nil
}

// bulkOp reads what follows 0xfc: conversions, bulk memory and tables. Those
// with a length pay for it where they stand.
func (w *walker) bulkOp(at int, r *wasmbin.Reader) error {
	op := r.U32()
	switch {
	case op <= 7:
	case op == 9, op == 11, op == 13, op >= 15 && op <= 17:
		r.SkipLEB()
	case op == 8, op == 10, op == 12, op == 14:
		r.SkipLEB()
		r.SkipLEB()
	default:
		return fmt.Errorf("the instruction 0xfc %d is unknown", op)
	}
	kind := paysCode
	switch op {
	case 8, 10, 11: // memory.init, memory.copy, memory.fill
		kind = paysMemory
	case 12, 14, 15, 17: // table.init, table.copy, table.grow, table.fill
		kind = paysTable
	}
	if op == 15 {
		w.spend(at, priceGrow-1)
	}
	if kind != paysCode && !w.dead {
		w.settle()
		w.points = append(w.points, point{at: int32(at), cost: 1, kind: kind})
		w.bulk, w.dirty = true, true
	}
	return nil
}

// simd reads what follows 0xfd.
func simd(r *wasmbin.Reader) error {
	switch op := r.U32(); {
	case op <= 11, op == 92, op == 93: // loads and stores
		r.SkipLEB()
		r.SkipLEB()
	case op == 12, op == 13: // v128.const, shuffle
		r.Take(16)
	case op >= 21 && op <= 34: // lanes
		r.Byte()
	case op >= 84 && op <= 91: // loads and stores of a lane
		r.SkipLEB()
		r.SkipLEB()
		r.Byte()
	case op > 255:
		return fmt.Errorf("the instruction 0xfd %d is unknown", op)
	}
	return nil
}
