package fuel

import (
	"fmt"
	"math"

	"octopus/wasmplugins/internal/wasmbin"
)

// kind says what happens at a point.
type kind uint8

const (
	paysCode   kind = iota
	paysMemory      // for what a bulk operation is about to move: its length is on the stack
	paysTable
	saves // what is left goes to the global, for other code to see
	loads // and comes back
)

// point is a place in a body where something is inserted. One that pays for
// code runs at least as often as whatever it pays for: between two runs of an
// instruction its point runs again.
type point struct {
	at   int32 // offset in the body: it goes before what is there
	cost int32 // of code; 1 for other kinds
	left int32 // of spare
	kind kind
	loop bool // it begins a round
}

// spare is how much a point may charge for instructions that perhaps do not
// run, because a branch before them leads elsewhere. It saves most of the
// points in small branches and at the exits of loops, where they would cost
// more than what they count.
const spare = 32

// frame is an open block, loop or if; the first is the function.
type frame struct {
	loop, isIf bool
	targeted   bool // its end is reached by a branch, or from the arm before else
	// Who pays for what follows it, unless a branch leads past its end.
	payer   int32
	certain bool
	// reach is the outermost frame that a branch within it leads to.
	reach int32
}

// walker finds the points of one body after the other.
type walker struct {
	globals  uint32 // how many the module has
	imported uint32 // functions
	spare    int32

	points []point
	bulk   bool // some point needs a second local
	dirty  bool // the global may not have what is left
	frames []frame

	payer   int32 // index of the point that pays
	certain bool  // what comes runs whenever the payer did
	sum     int32 // to be added to the payer's cost
	most    int32 // what sum may be
	dead    bool  // what comes never runs
	nested  int   // blocks open in dead code
}

// walk reads the instructions of a body from pos to its end. locals includes
// the parameters. This is the loop that decides how long Rewrite takes, hence
// the cases that open and close blocks, which compilers write many of.
func (w *walker) walk(raw []byte, pos int, locals uint64) error {
	w.points, w.frames, w.bulk = w.points[:0], w.frames[:0], false
	w.dead, w.nested, w.sum = false, 0, 0
	w.begin(pos, 1)
	w.frames = append(w.frames, frame{})
	for pos < len(raw) {
		at, op := pos, raw[pos]
		pos++
		price := int32(1)
		switch immediates[op] {
		case immNone:
		case immFree:
			price = 0
		case immLEB:
			pos = wasmbin.AfterLEB(raw, pos)
		case immTwoLEB:
			pos = wasmbin.AfterLEB(raw, wasmbin.AfterLEB(raw, pos))
		case immLocal:
			end, err := local(raw, pos, locals)
			if err != nil {
				return err
			}
			pos = end
		case immBlock:
			pos = wasmbin.AfterLEB(raw, pos) // a value type or a signed 33-bit index
			if op == opIf {
				w.spend(at, 1)
			}
			w.open(op, pos)
			continue
		case immEnd:
			if w.end(at); len(w.frames) > 0 {
				continue
			}
			if pos < len(raw) {
				return errMalformed
			}
			return nil
		default:
			r := wasmbin.Reader{Raw: raw, Pos: pos}
			if err := w.rare(op, at, &r); err != nil {
				return err
			}
			if r.Bad {
				return errMalformed
			}
			pos = r.Pos
			continue
		}
		w.spend(at, price)
	}
	return errMalformed
}

// local reads an index of a local, which must not be one that the rewriter adds.
func local(raw []byte, pos int, locals uint64) (end int, err error) {
	if pos < len(raw) && raw[pos] < 0x80 && uint64(raw[pos]) < locals {
		return pos + 1, nil
	}
	r := wasmbin.Reader{Raw: raw, Pos: pos}
	if index := r.U32(); r.Bad || uint64(index) >= locals {
		return 0, fmt.Errorf("local %d does not exist", index)
	}
	return r.Pos, nil
}

// spend adds a price to what the payer pays, or begins a point at at.
func (w *walker) spend(at int, price int32) {
	if w.dead {
		return
	}
	if w.sum += price; w.sum > w.most {
		w.sum -= price
		w.begin(at, price)
	}
}

// begin makes a new point that pays from here on.
func (w *walker) begin(at int, price int32) {
	w.settle()
	w.points = append(w.points, point{at: int32(at), left: w.spare})
	w.dirty = true
	w.switchTo(int32(len(w.points)-1), true)
	w.sum = price
}

// settle hands the payer its sum.
func (w *walker) settle() {
	if w.sum == 0 {
		return
	}
	p := &w.points[w.payer]
	p.cost += w.sum
	if !w.certain {
		p.left -= w.sum
	}
	w.sum = 0
}

func (w *walker) switchTo(payer int32, certain bool) {
	if payer == w.payer && certain && w.certain {
		return // as before
	}
	w.settle()
	w.payer, w.certain, w.most = payer, certain, math.MaxInt32
	if !certain || w.spare < 0 {
		w.most = max(w.points[payer].left, 0)
	}
}

// open begins a block, loop or if.
func (w *walker) open(op byte, end int) {
	if w.dead {
		w.nested++
		return
	}
	w.frames = append(w.frames, frame{loop: op == opLoop, isIf: op == opIf, payer: w.payer, certain: w.certain, reach: int32(len(w.frames))})
	switch op {
	case opLoop:
		w.begin(end, 1)
		w.points[len(w.points)-1].loop = true
	case opIf:
		w.switchTo(w.payer, false)
	}
}

// otherwise is else.
func (w *walker) otherwise() {
	if w.nested > 0 {
		return
	}
	f := &w.frames[len(w.frames)-1]
	f.targeted = f.targeted || !w.dead
	f.isIf = false
	w.dead, w.dirty = false, true
	w.switchTo(f.payer, false)
}

// end closes the innermost frame.
func (w *walker) end(at int) {
	if w.nested > 0 {
		w.nested--
		return
	}
	top := len(w.frames) - 1
	f := w.frames[top]
	w.frames = w.frames[:top]
	if top == 0 {
		w.save(at)
		w.settle()
		return
	}
	w.frames[top-1].reach = min(w.frames[top-1].reach, f.reach)
	w.dead = w.dead && !f.targeted && !f.isIf
	if !w.dead {
		w.dirty = true
		w.switchTo(f.payer, f.certain && f.reach >= int32(top))
	}
}

// save writes what is left to the global, unless that has it.
func (w *walker) save(at int) {
	if w.dead || !w.dirty {
		return
	}
	w.points = append(w.points, point{at: int32(at), cost: 1, kind: saves})
	w.dirty = false
}

// call is what other code does in between, from at to end.
func (w *walker) call(at, end int, host bool) {
	w.save(at)
	if !w.dead && !host { // the host uses nothing up
		w.points = append(w.points, point{at: int32(end), cost: 1, kind: loads})
	}
}

// branch notes where a branch at at leads.
func (w *walker) branch(at int, depth uint32) error {
	if w.dead {
		return nil
	}
	top := len(w.frames) - 1
	if uint64(depth) > uint64(top) {
		return errMalformed
	}
	target := top - int(depth)
	if target == 0 {
		w.save(at)
	}
	f := &w.frames[target]
	f.targeted = f.targeted || !f.loop
	w.frames[top].reach = min(w.frames[top].reach, int32(target))
	return nil
}

// leave is what follows an instruction that never goes on. Where each
// instruction pays for itself, those that never run do as well: the tests
// learn from it whether that is so.
func (w *walker) leave() { w.dead = w.spare >= 0 }

// maybe is what follows a branch that may not be taken.
func (w *walker) maybe() {
	if !w.dead {
		w.switchTo(w.payer, false)
	}
}

// global checks an index: the module must not reach the one that counts.
func (w *walker) global(index uint32) error {
	if index >= w.globals {
		return fmt.Errorf("global %d does not exist", index)
	}
	return nil
}
