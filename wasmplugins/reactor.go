package wasmplugins

import (
	"encoding/binary"
	"slices"
	"strconv"

	"octopus/wasmplugins/internal/wasmbin"
)

// Entries that a module may export: a command is started at _start, a reactor
// is initialised once and then run at octopus_run.
const (
	entryStart      = "_start"
	entryInitialize = "_initialize"
	entryRun        = "octopus_run"
)

var entryNames = []string{entryStart, entryInitialize, entryRun}

// keptGlobal begins the names under which a reactor's mutable globals are
// exported to its runner, which could not read them otherwise.
const keptGlobal = "octopus.global."

// maxKept is how many globals are kept; Go has 8.
const maxKept = 256

// reactor is what Check learns about whether all that _initialize may change
// can be kept: memory and globals can, tables and segments cannot.
type reactor struct {
	globals []int // the mutable ones
	// changes says that it has a start function, which would run once more, or
	// instructions that change a table or use up a segment, or globals that
	// mean nothing in another instance, or names that its runner needs.
	changes bool
}

func (a *reactor) global(index int, typ byte, mutable bool) {
	switch {
	case !mutable:
	case typ < typeF64 || typ > typeI32 || len(a.globals) == maxKept:
		a.changes = true
	default:
		a.globals = append(a.globals, index)
	}
}

// bulk notes an instruction after 0xfc: data.drop, table.init, elem.drop,
// table.copy, table.grow and table.fill change what cannot be kept.
func (a *reactor) bulk(op uint32) {
	a.changes = a.changes || slices.Contains([]uint32{9, 12, 13, 14, 15, 17}, op)
}

func (a *reactor) keeps() bool { return !a.changes }

// reactorOf says whether a module that has passed Check is a reactor, and what
// it may change. The code of a command is not read again for that.
func reactorOf(module []byte) (a reactor, isReactor bool) {
	c := checker{maxMemory: MaxMemory}
	isReactor = true
	err := sections(module, func(s section) bool {
		if s.id == secCode {
			isReactor = !c.has(entryStart) && c.has(entryInitialize) && c.has(entryRun)
		}
		if s.id == secCustom || !isReactor {
			return isReactor
		}
		c.err = c.section(s)
		return c.err == nil
	})
	return c.reactor, isReactor && err == nil && c.err == nil
}

// exportGlobals returns the module with globals exported, and their names.
func exportGlobals(module []byte, globals []int) ([]byte, []string) {
	names := make([]string, len(globals))
	added := []byte{}
	for i, index := range globals {
		names[i] = keptGlobal + strconv.Itoa(index)
		added = append(binary.AppendUvarint(added, uint64(len(names[i]))), names[i]...)
		added = binary.AppendUvarint(append(added, 3), uint64(index))
	}
	out := module
	_ = sections(module, func(s section) bool {
		if s.id != secExport {
			return true
		}
		r := wasmbin.Reader{Raw: s.body}
		body := binary.AppendUvarint(nil, uint64(r.U32())+uint64(len(globals)))
		body = append(append(body, s.body[r.Pos:]...), added...)
		out = make([]byte, 0, len(module)+len(added)+16)
		out = append(append(out, module[:s.start]...), secExport)
		out = binary.AppendUvarint(out, uint64(len(body)))
		out = append(append(out, body...), module[s.end:]...)
		return false
	})
	return out, names
}
