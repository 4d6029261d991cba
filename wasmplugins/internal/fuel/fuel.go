// Package fuel rewrites a module so that it counts what it executes and traps
// once it has used up what it was given.
//
// Each function, each round of a loop and each arm of a branch pays in advance
// for the instructions that it is about to run, from a global that the
// rewritten module exports. About one unit is one instruction; moving memory
// costs a unit for each 8 bytes and moving table entries one each, whatever it
// takes. The same input costs the same on every machine.
//
// The global has what is left whenever other code runs, and from each round of
// a loop on. So whoever stops a guest from outside knows what it used at least.
//
// Nothing that the module had changes its index: there is no new import, the
// global and the exports come last, and so the names in traps stay right. The
// host tells an empty tank from a trap of the guest's own by looking at the
// global: it is negative only then.
package fuel

import (
	"bytes"
	"errors"

	"octopus/wasmplugins/internal/wasmbin"
)

// Names of what a rewritten module exports besides what it had.
const (
	// Global is a mutable i64: what is left. It begins as 0, so the host
	// sets it between instantiating and calling.
	Global = "octopus.fuel"
	// Start is the start function, where the module had one. It must be called
	// before anything else: a start section would run before there is fuel.
	Start = "octopus.start"
)

// Version changes with what Rewrite makes of a module, prices included.
const Version = "2"

// Bytes of memory and entries of a table that one unit moves, as a shift.
const (
	memoryShift = 3
	tableShift  = 0
)

// Section ids.
const (
	secCustom    = 0
	secType      = 1
	secImport    = 2
	secFunction  = 3
	secGlobal    = 6
	secExport    = 7
	secStart     = 8
	secCode      = 10
	secDataCount = 12
)

// errMalformed is a module that no compiler would take.
var errMalformed = errors.New("the module is broken")

var header = []byte("\x00asm\x01\x00\x00\x00")

// rewriter is the state of one Rewrite.
type rewriter struct {
	out []byte

	types     []shape
	functions []uint32 // type of each function
	imported  int      // of them, the first
	global    uint32   // index of the one that counts
	start     uint32
	hasStart  bool

	globalDone, exportDone bool

	walker walker
}

// shape is what matters of a function type.
type shape struct {
	params  uint32
	nothing bool // neither parameters nor results
}

// Rewrite returns the counting form of a module, which must be one that
// wasmplugins.Check has passed. An instruction that it does not know is an
// error: its price, and where it leads, would be guesses. The time is linear
// in the module's size.
func Rewrite(module []byte) ([]byte, error) { return rewrite(module, spare) }

func rewrite(module []byte, spare int32) ([]byte, error) {
	if !bytes.HasPrefix(module, header) {
		return nil, errMalformed
	}
	rw := rewriter{out: make([]byte, 0, len(module)+len(module)/2), walker: walker{spare: spare}}
	rw.out = append(rw.out, header...)
	if err := rw.scan(module); err != nil {
		return nil, err
	}
	r := wasmbin.Reader{Raw: module, Pos: len(header)}
	for r.Left() > 0 {
		from := r.Pos
		id := r.Byte()
		body := r.Take(r.U32())
		if r.Bad {
			return nil, errMalformed
		}
		if err := rw.section(id, body, module[from:r.Pos]); err != nil {
			return nil, err
		}
	}
	return rw.out, rw.missing(255)
}
