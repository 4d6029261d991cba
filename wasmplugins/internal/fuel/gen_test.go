package fuel

import "encoding/binary"

// gen makes a valid module out of any bytes: each is a choice. Programs loop,
// branch, call, trap and move memory as they like; the fuel ends them.
type gen struct {
	in     []byte
	out    []byte
	locals []byte // types
	labels [][]byte
	ret    []byte
	depth  int
	left   int // instructions that the function may still have
}

const (
	tI32     = 0x7f
	tI64     = 0x7e
	tF64     = 0x7c
	tV128    = 0x7b
	tFuncref = 0x70
)

// genTypes are the function types, by index; the first two are also used for blocks.
var genTypes = []struct{ params, results []byte }{
	{[]byte{tI32}, []byte{tI32}},
	{[]byte{tI32, tI64}, []byte{tI64, tI32}},
	{nil, nil},
	{[]byte{tI32, tI64}, []byte{tI64}},
	{[]byte{tF64}, []byte{tF64}},
	{[]byte{tI32, tI32}, nil},
}

const (
	genImports = 1 // env.note, of type 0
	genGlobals = 4
	genTable   = 8
)

var globalTypes = [genGlobals]byte{tI32, tI64, tF64, tI32}

func (g *gen) byte() byte {
	if len(g.in) == 0 {
		return 0
	}
	b := g.in[0]
	g.in = g.in[1:]
	return b
}

func (g *gen) pick(n int) int { return int(g.byte()) % n }

func (g *gen) emit(b ...byte) { g.out = append(g.out, b...) }

func (g *gen) op(op byte, index int) {
	g.out = binary.AppendUvarint(append(g.out, op), uint64(index))
}

// program is a generated module. It exports its functions as "f0" and so on,
// and its globals as "g0".
type program struct {
	module []byte
	types  []int // of its functions, indexes of genTypes
}

func generate(in []byte) program {
	g := &gen{in: in}
	var types []int
	for range 1 + g.pick(5) {
		types = append(types, g.pick(len(genTypes)))
	}
	hasStart := g.pick(4) == 1
	if hasStart {
		types[len(types)-1] = 2
	}
	var bodies [][]byte
	for i := range types {
		bodies = append(bodies, g.function(types, i))
	}
	out := append([]byte{}, header...)
	section := func(id byte, n int, body []byte) {
		out = appendSection(out, id, append(binary.AppendUvarint(nil, uint64(n)), body...))
	}
	var b []byte
	for _, t := range genTypes {
		b = append(append(append(append(b, 0x60, byte(len(t.params))), t.params...), byte(len(t.results))), t.results...)
	}
	section(secType, len(genTypes), b)
	section(secImport, 1, append([]byte("\x03env\x04note"), 0, 0))
	b = nil
	for _, t := range types {
		b = append(b, byte(t))
	}
	section(secFunction, len(types), b)
	section(4, 1, []byte{tFuncref, 1, genTable, 2 * genTable})
	section(5, 1, []byte{1, 1, 4})
	section(secGlobal, genGlobals, []byte{tI32, 1, 0x41, 7, 0x0b, tI64, 1, 0x42, 0x7e, 0x0b,
		tF64, 1, 0x44, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x0b, tI32, 0, 0x41, 3, 0x0b})
	b = appendExport(nil, "memory", 2, 0)
	for i := range types {
		b = appendExport(b, "f"+string(rune('0'+i)), 0, uint32(genImports+i))
	}
	for i := range genGlobals {
		b = appendExport(b, "g"+string(rune('0'+i)), 3, uint32(i))
	}
	section(secExport, 1+len(types)+genGlobals, b)
	if hasStart {
		out = appendSection(out, secStart, []byte{byte(genImports + len(types) - 1)})
	}
	b = []byte{0, 0x41, 0, 0x0b, genTable - 1}
	for i := range genTable - 1 {
		b = append(b, byte((i+1)%(len(types)+genImports)))
	}
	section(9, 2, append(b, 1, 0, 2, 0, 1)) // and a passive one
	section(secDataCount, 1, nil)
	b = nil
	for _, body := range bodies {
		b = append(binary.AppendUvarint(b, uint64(len(body))), body...)
	}
	section(secCode, len(bodies), b)
	section(11, 1, append([]byte{1, 8}, "abcdefgh"...))
	return program{out, types}
}

func (g *gen) function(types []int, i int) []byte {
	t := genTypes[types[i]]
	g.out, g.left, g.depth = nil, 200, 0
	g.locals = append(append([]byte{}, t.params...), tI32, tI32, tI64, tF64, tV128)
	g.ret = t.results
	g.labels = [][]byte{t.results}
	g.emit(4, 2, tI32, 1, tI64, 1, tF64, 1, tV128)
	g.stmts(types)
	g.exprs(t.results, types)
	g.emit(opEnd)
	return g.out
}

func (g *gen) stmts(types []int) {
	for n := g.pick(6); n > 0; n-- {
		g.stmt(types)
	}
}

func (g *gen) exprs(list []byte, types []int) {
	for _, t := range list {
		g.expr(t, types)
	}
}

// deep says that only the simplest comes now.
func (g *gen) deep() bool {
	g.left--
	return g.depth > 8 || g.left < 0
}

func (g *gen) stmt(types []int) {
	if g.deep() {
		return
	}
	g.depth++
	defer func() { g.depth-- }()
	e := func(list ...byte) { g.exprs(list, types) }
	switch g.pick(22) {
	case 0, 1, 2:
		i := g.pick(len(g.locals))
		e(g.locals[i])
		g.op(opLocalSet, i)
	case 3:
		i := g.pick(3)
		e(globalTypes[i])
		g.op(opGlobalSet, i)
	case 4:
		e(tI32, tI64)
		g.emit(0x37, 0, byte(g.pick(64))) // i64.store
	case 5:
		e(tI32, tI32)
		g.emit(0x3a, 0, 0) // i32.store8
	case 6:
		g.block(opBlock, nil, nil, types)
	case 7, 8:
		g.block(opLoop, nil, nil, types)
	case 9, 10:
		e(tI32)
		g.block(opIf, nil, nil, types)
	case 11: // of several values
		t := genTypes[g.pick(2)]
		e(t.params...)
		op := []byte{opBlock, opLoop, opIf}[g.pick(3)]
		if op == opIf {
			e(tI32)
		}
		g.block(op, t.params, t.results, types)
		g.drop(len(t.results))
	case 12, 13, 14, 15:
		g.flow(types)
	case 16, 17:
		g.calls(types)
	case 18, 19:
		g.bulk(e)
	case 20:
		g.emit([]byte{opUnreachable, 0x01, 0x01, 0x01}[g.pick(4)])
	case 21:
		e(tI32)
		g.emit(opMemoryGrow, 0, 0x1a)
	}
}

// flow branches.
func (g *gen) flow(types []int) {
	e := func(list ...byte) { g.exprs(list, types) }
	switch g.pick(4) {
	case 0, 1: // br_if
		i := g.pick(len(g.labels))
		list := g.labels[len(g.labels)-1-i]
		e(list...)
		e(tI32)
		g.op(opBrIf, i)
		g.drop(len(list))
	case 2:
		g.jump(types)
	case 3:
		var void []int
		for i := range g.labels {
			if len(g.labels[len(g.labels)-1-i]) == 0 {
				void = append(void, i)
			}
		}
		if len(void) == 0 {
			return
		}
		e(tI32)
		n := g.pick(5)
		g.op(opBrTable, n)
		for range n + 1 {
			g.out = binary.AppendUvarint(g.out, uint64(void[g.pick(len(void))]))
		}
	}
}

func (g *gen) calls(types []int) {
	if g.pick(2) == 0 {
		g.call(g.pick(len(types)+genImports), types)
		return
	}
	t := g.pick(len(genTypes))
	g.exprs(genTypes[t].params, types)
	g.expr(tI32, types)
	g.emit(0x41, genTable-1, 0x71) // and
	g.emit(opCallIndirect, byte(t), 0)
	g.drop(len(genTypes[t].results))
}

func (g *gen) drop(n int) {
	for range n {
		g.emit(0x1a)
	}
}

// jump never goes on.
func (g *gen) jump(types []int) {
	if g.pick(3) == 0 {
		g.exprs(g.ret, types)
		g.emit(opReturn)
		return
	}
	i := g.pick(len(g.labels))
	g.exprs(g.labels[len(g.labels)-1-i], types)
	g.op(opBr, i)
}

func (g *gen) call(function int, types []int) {
	t := genTypes[0]
	if function >= genImports {
		t = genTypes[types[function-genImports]]
	}
	g.exprs(t.params, types)
	g.op(opCall, function)
	g.drop(len(t.results))
}

func (g *gen) bulk(e func(...byte)) {
	switch g.pick(9) {
	case 0:
		e(tI32, tI32, tI32)
		g.emit(opBulk, 11, 0) // memory.fill
	case 1:
		e(tI32, tI32, tI32)
		g.emit(opBulk, 10, 0, 0) // memory.copy
	case 2:
		e(tI32, tI32, tI32)
		g.emit(opBulk, 8, 0, 0) // memory.init
	case 3:
		e(tI32, tI32, tI32)
		g.emit(opBulk, 12, 1, 0) // table.init
	case 4:
		e(tI32, tI32, tI32)
		g.emit(opBulk, 14, 0, 0) // table.copy
	case 5:
		e(tI32)
		g.emit(opRefNull, tFuncref)
		e(tI32)
		g.emit(opBulk, 17, 0) // table.fill
	case 6:
		g.emit(0xd2, genImports) // ref.func
		e(tI32)
		g.emit(opBulk, 15, 0, 0x1a) // table.grow
	case 7:
		g.emit(opBulk, 9, 0) // data.drop
	case 8:
		g.emit(opBulk, 13, 1) // elem.drop
	}
}

// block opens one with these parameters on the stack, and closes it.
func (g *gen) block(op byte, params, results []byte, types []int) {
	g.emit(op)
	switch {
	case len(params) == 1:
		g.emit(0)
	case len(params) == 2:
		g.emit(1)
	case len(results) == 1:
		g.emit(results[0])
	default:
		g.emit(typeNothing)
	}
	label := results
	if op == opLoop {
		label = params
	}
	g.labels = append(g.labels, label)
	body := func() {
		if len(params) > 0 && g.pick(2) == 0 { // used, or left for the end
			g.drop(len(params))
			g.stmts(types)
			g.exprs(results, types)
			return
		}
		g.stmts(types)
		if len(params) > 0 || len(results) > 0 {
			g.drop(len(params))
			g.exprs(results, types)
		}
	}
	body()
	if op == opIf && (len(results) > 0 || g.pick(2) == 1) {
		g.emit(opElse)
		body()
	}
	g.labels = g.labels[:len(g.labels)-1]
	g.emit(opEnd)
}

func (g *gen) constant(t byte) {
	switch t {
	case tI32:
		g.emit(0x41)
		g.out = appendSigned(g.out, []int64{int64(g.byte()), 0, 1, -1, 65_530, 1 << 30, -1 << 31}[g.pick(7)])
	case tI64:
		g.emit(0x42)
		g.out = appendSigned(g.out, []int64{int64(g.byte()), 0, 1, -1, 1 << 40, -1 << 63}[g.pick(6)])
	case tF64:
		g.emit(0x44, 0, 0, 0, 0, 0, 0, g.byte(), 0x40)
	case tV128:
		g.emit(opSIMD, 12, g.byte(), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
	}
}

// expr leaves one value of a type.
func (g *gen) expr(t byte, types []int) {
	if g.deep() {
		g.constant(t)
		return
	}
	g.depth++
	defer func() { g.depth-- }()
	switch choice := g.pick(12); choice {
	case 0:
		g.constant(t)
	case 1, 2, 3:
		n := g.pick(len(g.locals))
		for i := range g.locals {
			if j := (i + n) % len(g.locals); g.locals[j] == t {
				g.op(opLocalGet, j)
				return
			}
		}
	case 4:
		g.block(opBlock, nil, []byte{t}, types)
	case 5:
		g.block(opLoop, nil, []byte{t}, types)
	case 6:
		g.expr(tI32, types)
		g.block(opIf, nil, []byte{t}, types)
	case 7:
		g.exprs([]byte{t, t, tI32}, types)
		if g.pick(2) == 0 && t != tV128 {
			g.emit(0x1b)
		} else {
			g.emit(opSelectTyped, 1, t)
		}
	case 8:
		if g.pick(4) == 0 {
			g.jump(types)
			return
		}
		g.expr(t, types)
	default:
		g.arithmetic(t, choice, types)
	}
}

func (g *gen) arithmetic(t byte, choice int, types []int) {
	e := func(list ...byte) { g.exprs(list, types) }
	switch t {
	case tI32:
		switch g.pick(7) {
		case 0:
			g.op(opGlobalGet, 3*g.pick(2))
		case 1:
			e(tI32)
			g.emit(0x28, 0, byte(g.pick(100))) // i32.load
		case 2:
			e(tI64, tI64)
			g.emit(byte(0x51 + g.pick(10))) // comparisons
		case 3:
			e(tF64)
			g.emit([]byte{0xaa, opBulk}[choice&1]) // trunc, or the one that saturates
			if choice&1 == 1 {
				g.emit(2)
			}
		case 4:
			g.emit(0x3f, 0) // memory.size
		case 5:
			e(tV128)
			g.emit(opSIMD, 27, byte(g.pick(4))) // i32x4.extract_lane
		default:
			e(tI32, tI32)
			g.emit(byte(0x6a + g.pick(15))) // add … rotr, traps included
		}
	case tI64:
		switch g.pick(4) {
		case 0:
			e(tI32)
			g.emit(0x29, 0, 0) // i64.load
		case 1:
			g.op(opGlobalGet, 1)
		default:
			e(tI64, tI64)
			g.emit(byte(0x7c + g.pick(15)))
		}
	case tF64:
		if g.pick(3) == 0 {
			g.op(opGlobalGet, 2)
			return
		}
		e(tF64, tF64)
		g.emit(byte(0xa0 + g.pick(7)))
	case tV128:
		if g.pick(3) == 0 {
			e(tI32)
			g.emit(opSIMD, 0, 0, 0) // v128.load
			return
		}
		e(tV128, tV128)
		g.emit(opSIMD, 0xae, 1) // i32x4.add
	}
}
