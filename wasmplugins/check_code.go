package wasmplugins

import "octopus/wasmplugins/internal/wasmbin"

// What follows an opcode, for the walk over function bodies.
const (
	immNone = iota
	immLEB
	immTwoLEB
	immBlock // opens a block
	immEnd
	immBrTable
	immF32
	immF64
	immByte
	immSelect
	immTableSet
	immPrefixFC
	immPrefixFD
	immThreads
	immTail
	immExceptions
	immUnknown
)

// immediates maps each opcode of one byte.
var immediates = func() (t [256]uint8) {
	for i := range t {
		t[i] = immUnknown
	}
	set := func(kind uint8, from, to int) {
		for i := from; i <= to; i++ {
			t[i] = kind
		}
	}
	set(immNone, 0x00, 0x01)  // unreachable, nop
	set(immBlock, 0x02, 0x04) // block, loop, if
	set(immNone, 0x05, 0x05)  // else
	set(immExceptions, 0x06, 0x0a)
	set(immEnd, 0x0b, 0x0b)
	set(immLEB, 0x0c, 0x0d) // br, br_if
	set(immBrTable, 0x0e, 0x0e)
	set(immNone, 0x0f, 0x0f)   // return
	set(immLEB, 0x10, 0x10)    // call
	set(immTwoLEB, 0x11, 0x11) // call_indirect
	set(immTail, 0x12, 0x15)
	set(immExceptions, 0x18, 0x19)
	set(immNone, 0x1a, 0x1b) // drop, select
	set(immSelect, 0x1c, 0x1c)
	set(immExceptions, 0x1f, 0x1f)
	set(immLEB, 0x20, 0x25) // local.get … table.get
	set(immTableSet, 0x26, 0x26)
	set(immTwoLEB, 0x28, 0x3e) // loads and stores
	set(immLEB, 0x3f, 0x42)    // memory.size, memory.grow, i32.const, i64.const
	set(immF32, 0x43, 0x43)
	set(immF64, 0x44, 0x44)
	set(immNone, 0x45, 0xc4) // arithmetic
	set(immByte, 0xd0, 0xd0) // ref.null
	set(immNone, 0xd1, 0xd1) // ref.is_null
	set(immLEB, 0xd2, 0xd2)  // ref.func
	set(immPrefixFC, 0xfc, 0xfc)
	set(immPrefixFD, 0xfd, 0xfd)
	set(immThreads, 0xfe, 0xfe)
	return t
}()

func (c *checker) codeSection(r *wasmbin.Reader) error {
	n, err := c.count(r, maxFunctions, "function bodies")
	if err != nil {
		return err
	}
	c.bodies = n
	for i := 0; i < n && !r.Bad; i++ {
		size := r.U32()
		if size > maxBody {
			return refuse("too_complex", "Function %d is %d KiB; at most %d KiB are allowed. Split it, or build with less inlining (-Os).", c.imported+i, size>>10, maxBody>>10)
		}
		body := r.Take(size)
		if r.Bad {
			return nil
		}
		if err := c.body(c.imported+i, body); err != nil {
			return err
		}
	}
	return nil
}

// body walks one function: locals, nesting, br_table, opcodes.
func (c *checker) body(index int, raw []byte) error {
	r := wasmbin.Reader{Raw: raw}
	var locals uint64
	groups := r.U32()
	for i := uint32(0); i < groups && !r.Bad; i++ {
		locals += uint64(r.U32())
		r.Byte()
		if locals > maxLocals || groups > maxLocals {
			return refuse("too_complex", "Function %d has more than %d locals. Split it, or build with optimisation.", index, maxLocals)
		}
	}
	if err := c.walk(index, &r); err != nil {
		return err
	}
	if r.Bad || r.Left() > 0 {
		return refuse("malformed", "The code of function %d is broken. Build the module again.", index)
	}
	return nil
}

// walk reads instructions up to the end of the function. This is the loop
// that decides how long Check takes, hence the local variables.
func (c *checker) walk(index int, r *wasmbin.Reader) error {
	raw, pos, depth := r.Raw, r.Pos, 1
	for depth > 0 && pos < len(raw) {
		op := raw[pos]
		pos++
		switch immediates[op] {
		case immNone:
		case immLEB:
			pos = wasmbin.AfterLEB(raw, pos)
		case immTwoLEB:
			pos = wasmbin.AfterLEB(raw, wasmbin.AfterLEB(raw, pos))
		case immBlock:
			pos = wasmbin.AfterLEB(raw, pos) // a block type is a value type or a signed 33-bit index
			if depth++; depth > maxNesting {
				return refuse("too_complex", "Function %d nests blocks more than %d deep. Split it.", index, maxNesting)
			}
		case immEnd:
			depth--
		default:
			r.Pos = pos
			if err := c.rare(index, op, r); err != nil {
				return err
			}
			pos = r.Pos
		}
	}
	r.Bad = r.Bad || depth != 0 || pos > len(raw)
	r.Pos = min(pos, len(raw))
	return nil
}

// rare handles the opcodes that a body has few of.
func (c *checker) rare(index int, op byte, r *wasmbin.Reader) error {
	switch immediates[op] {
	case immBrTable:
		n := r.U32()
		if n > maxBrTable {
			return refuse("too_complex", "Function %d has a jump table of %d entries; at most %d are allowed. Split the switch.", index, n, maxBrTable)
		}
		for i := uint32(0); i <= n && !r.Bad; i++ {
			r.SkipLEB()
		}
	case immF32:
		r.Take(4)
	case immF64:
		r.Take(8)
	case immByte:
		r.Byte()
	case immSelect:
		r.Take(r.U32())
	case immTableSet:
		c.reactor.changes = true
		r.SkipLEB()
	case immPrefixFC:
		return c.bulk(index, r)
	case immPrefixFD:
		return simd(index, r)
	case immThreads:
		return refuse("unsupported", "Function %d uses threads (atomics), which are not supported. Build without them.", index)
	case immTail:
		return refuse("unsupported", "Function %d uses tail calls, which are not supported. Build without -mtail-call.", index)
	case immExceptions:
		return refuse("unsupported", "Function %d uses exception handling, which is not supported. Build without it (-C panic=abort).", index)
	default:
		return refuse("unsupported", "Function %d has the unknown instruction 0x%02x. Build for WebAssembly 2.0 or older.", index, op)
	}
	return nil
}

// bulk reads what follows 0xfc: conversions, bulk memory and tables.
func (c *checker) bulk(index int, r *wasmbin.Reader) error {
	op := r.U32()
	c.reactor.bulk(op)
	switch {
	case op <= 7:
	case op == 9, op == 11, op == 13, op >= 15 && op <= 17:
		r.U32()
	case op == 8, op == 10, op == 12, op == 14:
		r.U32()
		r.U32()
	default:
		return refuse("unsupported", "Function %d has the unknown instruction 0xfc %d. Build for WebAssembly 2.0 or older.", index, op)
	}
	return nil
}

// simd reads what follows 0xfd.
func simd(index int, r *wasmbin.Reader) error {
	switch op := r.U32(); {
	case op <= 11, op == 92, op == 93: // loads and stores
		r.U32()
		r.U32()
	case op == 12, op == 13: // v128.const, shuffle
		r.Take(16)
	case op >= 21 && op <= 34: // lanes
		r.Byte()
	case op >= 84 && op <= 91: // loads and stores of a lane
		r.U32()
		r.U32()
		r.Byte()
	case op > 255:
		return refuse("unsupported", "Function %d uses relaxed SIMD, which is not supported. Build without -mrelaxed-simd.", index)
	}
	return nil
}
