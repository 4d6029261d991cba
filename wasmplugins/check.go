package wasmplugins

import (
	"bytes"
	"fmt"
	"slices"

	"octopus/wasmplugins/internal/wasmbin"
)

// Bounds of what is compiled. The compiler's time and memory grow faster than
// a module does in these; every real module seen is far below.
const (
	maxFunctions = 50_000
	maxTypes     = 50_000
	maxArity     = 1_000 // parameters or results of one type
	maxImports   = 1_000
	maxExports   = 10_000
	maxGlobals   = 50_000
	maxSegments  = 100_000
	maxElements  = 1_000_000
	maxTable     = 65_536
	maxBody      = 128 << 10
	maxLocals    = 10_000
	maxNesting   = 1_000
	maxBrTable   = 16_384
)

const pageSize = 65_536

// Info is what Check learned about a module.
type Info struct {
	// Size is in bytes, MemoryMin in bytes of the initial linear memory.
	Size      int64
	MemoryMin uint64
	Functions int
	// Imports are "module.name", sorted.
	Imports []string
	// Reactor says that the module exports _initialize and octopus_run in place
	// of _start. Snapshot says that what _initialize makes of it can be kept
	// for the executions that follow.
	Reactor, Snapshot bool
	// HostCalls says whether octopus_v1 is imported.
	HostCalls bool
	// HasManifest says whether there is a section octopus.manifest.
	HasManifest bool
	// HasScript says whether there is a section octopus.script.
	HasScript bool
}

// Refusal says why a module is not run.
type Refusal struct {
	// Code is "not_wasm", "component", "malformed", "too_big", "too_complex",
	// "memory_limit", "imports", "no_start", "no_memory", "script" or
	// "unsupported".
	Code    string
	Message string
}

// Error is the sentence.
func (e *Refusal) Error() string { return e.Message }

func refuse(code, format string, args ...any) error {
	return &Refusal{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Check scans a module before it is compiled. maxMemory is in bytes; 0 means
// MaxMemory. The error is *Refusal.
//
// It looks at structure only: types are the compiler's business, in a child
// process with limits. It copies nothing and takes less than 100 ms for the
// largest module.
func Check(module []byte, maxMemory uint64) (Info, error) {
	c := checker{info: Info{Size: int64(len(module))}, maxMemory: maxMemory}
	if maxMemory == 0 {
		c.maxMemory = MaxMemory
	}
	if len(module) > MaxModule {
		return c.info, refuse("too_big", "The module is %d MiB; at most %d MiB are allowed. Strip debug information (wasm-strip, -ldflags=-s).", len(module)>>20, MaxModule>>20)
	}
	err := sections(module, func(s section) bool {
		c.err = c.section(s)
		return c.err == nil
	})
	if err == nil {
		err = c.err
	}
	if err == nil {
		err = c.whole()
	}
	slices.Sort(c.info.Imports)
	return c.info, err
}

// checkHeader tells the usual wrong files apart.
func checkHeader(module []byte) error {
	switch {
	case bytes.HasPrefix(module, header):
		return nil
	case len(module) == 0:
		return refuse("not_wasm", "The file is empty.")
	case bytes.HasPrefix(module, []byte("\x00asm")) && len(module) >= 8 && module[6] == 1:
		return refuse("component", "This is a WebAssembly component, which Octopus does not run. Build a core module for wasm32-wasip1 instead.")
	case bytes.HasPrefix(module, []byte("\x00asm")):
		return refuse("unsupported", "The file has an unknown WebAssembly version. Build a core module, version 1.")
	case bytes.HasPrefix(bytes.TrimSpace(module[:min(len(module), 4096)]), []byte("(module")):
		return refuse("not_wasm", "This is WebAssembly text. Turn it into a module with wat2wasm first.")
	case bytes.HasPrefix(module, []byte("\x7fELF")), bytes.HasPrefix(module, []byte("MZ")), bytes.HasPrefix(module, []byte("\xcf\xfa\xed\xfe")):
		return refuse("not_wasm", "This is a native program, not WebAssembly. Build it for wasm32-wasip1 (Go: GOOS=wasip1 GOARCH=wasm).")
	case archive(module) != "":
		return refuse("not_wasm", "The file is %s, and nothing is unpacked here. Unpack it first, and take the .wasm inside.", archive(module))
	}
	return refuse("not_wasm", "The file is not WebAssembly: it does not begin with \\0asm.")
}

// checker is the state of one Check.
type checker struct {
	info      Info
	err       error
	maxMemory uint64
	// last is the highest section so far, by its place in the order.
	last      int
	types     []shape
	imported  int
	functions []uint32 // type of each defined function
	memories  int
	tables    int
	bodies    int
	hasMemory bool
	entries   map[string]int // function indexes of the entries that are exported
	elements  uint64
	reactor   reactor
}

// shape is what Check needs to know of a function type.
type shape uint8

const (
	shapeOther   shape = iota
	shapeNothing       // () -> ()
	shapeCall          // (i32 i32 i32 i32) -> (i32)
	shapeRead          // (i32 i32) -> (i32)
)

// order is where a section stands; data count comes before code.
var order = [...]int{secType: 1, secImport: 2, secFunction: 3, secTable: 4, secMemory: 5, secGlobal: 6,
	secExport: 7, secStart: 8, secElement: 9, secDataCount: 10, secCode: 11, secData: 12}

func (c *checker) section(s section) error {
	if s.id == secCustom {
		c.info.HasManifest = c.info.HasManifest || s.name == ManifestSection
		if s.name == ScriptSection {
			return c.script(s.body)
		}
		return nil
	}
	if s.id == 13 {
		return refuse("unsupported", "The module uses exception handling, which is not supported. Build it without (-fno-wasm-exceptions, -C panic=abort).")
	}
	if int(s.id) >= len(order) {
		return refuse("malformed", "The module has an unknown section %d at byte %d.", s.id, s.start)
	}
	if order[s.id] <= c.last {
		return refuse("malformed", "The module's section %d at byte %d is repeated or out of order.", s.id, s.start)
	}
	c.last = order[s.id]
	r := &wasmbin.Reader{Raw: s.body}
	var err error
	switch s.id {
	case secType:
		err = c.typeSection(r)
	case secImport:
		err = c.importSection(r)
	case secFunction:
		err = c.functionSection(r)
	case secTable:
		err = c.tableSection(r)
	case secMemory:
		err = c.memorySection(r)
	case secGlobal:
		err = c.globalSection(r)
	case secExport:
		err = c.exportSection(r)
	case secStart, secDataCount:
		c.reactor.changes = c.reactor.changes || s.id == secStart
		r.U32()
	case secElement:
		err = c.elementSection(r)
	case secCode:
		err = c.codeSection(r)
	case secData:
		err = c.dataSection(r)
	}
	if err == nil && (r.Bad || r.Left() > 0) {
		err = refuse("malformed", "The module's section %d at byte %d is broken. Build or download it again.", s.id, s.start)
	}
	return err
}

// whole is what can only be said at the end.
func (c *checker) whole() error {
	switch {
	case c.bodies != len(c.functions):
		return refuse("malformed", "The module declares %d functions, but has code for %d.", len(c.functions), c.bodies)
	case c.memories == 0 || !c.hasMemory:
		return refuse("no_memory", "The module does not export its memory under the name \"memory\". Build it as a WASI command.")
	case c.has(entryStart):
	case c.has(entryInitialize) && !c.has(entryRun):
		return refuse("no_start", "The module is a WASI reactor (_initialize) without octopus_run. Export octopus_run, which is called for each execution, or build it as a command, which exports _start (without -mexec-model=reactor).")
	case c.has(entryRun) && !c.has(entryInitialize):
		return refuse("no_start", "The module exports octopus_run, but neither _initialize nor _start. Build it as a WASI reactor (Go: -buildmode=c-shared).")
	case !c.has(entryRun):
		return refuse("no_start", "The module exports no function _start. Build it as a WASI command, for wasm32-wasip1.")
	}
	c.info.Reactor = !c.has(entryStart)
	c.info.Snapshot = c.info.Reactor && c.reactor.keeps()
	called := []string{entryStart}
	if c.info.Reactor {
		called = []string{entryInitialize, entryRun}
	}
	for _, name := range called {
		if t, ok := c.typeOf(c.entries[name]); !ok || t != shapeNothing {
			return refuse("malformed", "The module's %s must take and return nothing.", name)
		}
	}
	return nil
}

// has says whether an entry is exported.
func (c *checker) has(entry string) bool {
	_, ok := c.entries[entry]
	return ok
}

// typeOf is the shape of a function by its index; imports count first, and
// none of them may be exported as an entry.
func (c *checker) typeOf(function int) (shape, bool) {
	i := function - c.imported
	if i < 0 || i >= len(c.functions) || int(c.functions[i]) >= len(c.types) {
		return shapeOther, false
	}
	return c.types[c.functions[i]], true
}

// count reads the length of a vector and refuses more than most.
func (c *checker) count(r *wasmbin.Reader, most int, what string) (int, error) {
	n := r.U32()
	if uint64(n) > uint64(most) {
		return 0, refuse("too_complex", "The module has %d %s; at most %d are allowed. Split the plugin or build it with optimisation (-Os, wasm-opt).", n, what, most)
	}
	return int(n), nil
}
