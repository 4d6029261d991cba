package wasmplugins

import (
	"slices"
	"strings"

	"octopus/wasmplugins/internal/wasmbin"
)

// Value types.
const (
	typeI32       = 0x7f
	typeI64       = 0x7e
	typeF32       = 0x7d
	typeF64       = 0x7c
	typeV128      = 0x7b
	typeFuncref   = 0x70
	typeExternref = 0x6f
)

func valueType(b byte) bool {
	return b >= typeV128 && b <= typeI32 || b == typeFuncref || b == typeExternref
}

func (c *checker) typeSection(r *wasmbin.Reader) error {
	n, err := c.count(r, maxTypes, "types")
	for i := 0; i < n && !r.Bad && err == nil; i++ {
		if r.Byte() != 0x60 {
			return refuse("unsupported", "The module uses types of the garbage-collection proposal, which are not supported.")
		}
		var params, results []byte
		if params, err = c.valueTypes(r); err == nil {
			results, err = c.valueTypes(r)
		}
		c.types = append(c.types, shapeOf(params, results))
	}
	return err
}

func (c *checker) valueTypes(r *wasmbin.Reader) ([]byte, error) {
	n, err := c.count(r, maxArity, "parameters or results in one type")
	list := r.Take(uint32(n))
	if i := slices.IndexFunc(list, func(b byte) bool { return !valueType(b) }); err == nil && i >= 0 {
		return nil, refuse("unsupported", "The module uses the value type 0x%02x, which is not supported.", list[i])
	}
	return list, err
}

func shapeOf(params, results []byte) shape {
	if len(params) == 0 && len(results) == 0 {
		return shapeNothing
	}
	if len(results) != 1 || results[0] != typeI32 || slices.ContainsFunc(params, func(b byte) bool { return b != typeI32 }) {
		return shapeOther
	}
	switch len(params) {
	case 4:
		return shapeCall
	case 2:
		return shapeRead
	}
	return shapeOther
}

func (c *checker) importSection(r *wasmbin.Reader) error {
	n, err := c.count(r, maxImports, "imports")
	if err != nil {
		return err
	}
	for range n {
		module, name, kind := r.Name(), r.Name(), r.Byte()
		if r.Bad {
			return nil
		}
		full := module + "." + name
		if module != "wasi_snapshot_preview1" && module != "octopus_v1" {
			return refuse("imports", "The module imports %.200q. Only wasi_snapshot_preview1 and octopus_v1 are there; remove what needs it, or build for wasm32-wasip1.", full)
		}
		if kind != 0 {
			return refuse("imports", "The module imports %.200q as something other than a function. Define memory and tables in the module itself.", full)
		}
		if err := c.importedFunction(module, name, r.U32()); err != nil {
			return err
		}
		if !slices.Contains(c.info.Imports, full) {
			c.info.Imports = append(c.info.Imports, full)
		}
		c.imported++
	}
	return nil
}

func (c *checker) importedFunction(module, name string, typ uint32) error {
	if module == "wasi_snapshot_preview1" {
		if !slices.Contains(wasiFunctions, name) {
			return refuse("imports", "The module imports %.200q, which WASI preview 1 does not have.", module+"."+name)
		}
		return nil
	}
	c.info.HostCalls = true
	want, ok := map[string]shape{"call": shapeCall, "read": shapeRead}[name]
	if !ok {
		return refuse("imports", "The module imports %.200q; octopus_v1 has call and read.", module+"."+name)
	}
	if int(typ) >= len(c.types) || c.types[typ] != want {
		return refuse("imports", "The module imports %q with the wrong type: call takes four i32, read two, and both return one.", module+"."+name)
	}
	return nil
}

// wasiFunctions are what preview 1 defines.
var wasiFunctions = []string{
	"args_get", "args_sizes_get", "environ_get", "environ_sizes_get", "clock_res_get", "clock_time_get",
	"fd_advise", "fd_allocate", "fd_close", "fd_datasync", "fd_fdstat_get", "fd_fdstat_set_flags",
	"fd_fdstat_set_rights", "fd_filestat_get", "fd_filestat_set_size", "fd_filestat_set_times", "fd_pread",
	"fd_prestat_get", "fd_prestat_dir_name", "fd_pwrite", "fd_read", "fd_readdir", "fd_renumber", "fd_seek",
	"fd_sync", "fd_tell", "fd_write", "path_create_directory", "path_filestat_get", "path_filestat_set_times",
	"path_link", "path_open", "path_readlink", "path_remove_directory", "path_rename", "path_symlink",
	"path_unlink_file", "poll_oneoff", "proc_exit", "proc_raise", "random_get", "sched_yield",
	"sock_accept", "sock_recv", "sock_send", "sock_shutdown",
}

func (c *checker) functionSection(r *wasmbin.Reader) error {
	n, err := c.count(r, maxFunctions-c.imported, "functions")
	if err != nil || n > r.Left() {
		r.Bad = r.Bad || err == nil
		return err
	}
	c.functions = make([]uint32, n)
	for i := range c.functions {
		c.functions[i] = r.U32()
	}
	c.info.Functions = n
	return nil
}

// bounds reads limits: a minimum and perhaps a maximum.
func (c *checker) bounds(r *wasmbin.Reader, what string) (minimum uint32, err error) {
	switch flags := r.Byte(); {
	case flags&2 != 0:
		return 0, refuse("unsupported", "The module's %s is shared, which needs threads. Build it without threads.", what)
	case flags&4 != 0:
		return 0, refuse("unsupported", "The module's %s has 64-bit addresses, which are not supported. Build it for wasm32.", what)
	case flags > 1:
		return 0, refuse("malformed", "The module's %s has unknown limits.", what)
	default:
		minimum = r.U32()
		if flags == 1 {
			r.U32()
		}
		return minimum, nil
	}
}

func (c *checker) tableSection(r *wasmbin.Reader) error {
	n := r.U32()
	if n > 1 {
		return refuse("too_complex", "The module has %d tables; one is allowed.", n)
	}
	if c.tables = int(n); n == 0 {
		return nil
	}
	if b := r.Byte(); b != typeFuncref && b != typeExternref {
		return refuse("unsupported", "The module's table holds something other than functions.")
	}
	minimum, err := c.bounds(r, "table")
	if err == nil && minimum > maxTable {
		err = refuse("too_complex", "The module's table has %d entries; at most %d are allowed.", minimum, maxTable)
	}
	return err
}

func (c *checker) memorySection(r *wasmbin.Reader) error {
	n := r.U32()
	if n > 1 {
		return refuse("unsupported", "The module has %d memories; one is allowed.", n)
	}
	if c.memories = int(n); n == 0 {
		return nil
	}
	minimum, err := c.bounds(r, "memory")
	c.info.MemoryMin = uint64(minimum) * pageSize
	if err == nil && c.info.MemoryMin > c.maxMemory {
		err = refuse("memory_limit", "The module starts with %d MiB of memory, but may have %d MiB. Raise limits.memory in its manifest, or build it with less (-Wl,--initial-memory).", c.info.MemoryMin>>20, c.maxMemory>>20)
	}
	return err
}

func (c *checker) globalSection(r *wasmbin.Reader) error {
	n, err := c.count(r, maxGlobals, "globals")
	for i := 0; i < n && !r.Bad && err == nil; i++ {
		typ, mutable := r.Byte(), r.Byte()
		c.reactor.global(i, typ, mutable != 0)
		err = constant(r)
	}
	return err
}

// constant skips an initialiser.
func constant(r *wasmbin.Reader) error {
	for !r.Bad {
		switch op := r.Byte(); op {
		case 0x0b:
			return nil
		case 0x41, 0x42: // i32.const, i64.const
			r.SkipLEB()
		case 0x43:
			r.Take(4)
		case 0x44:
			r.Take(8)
		case 0x23, 0xd2: // global.get, ref.func
			r.U32()
		case 0xd0: // ref.null
			r.Byte()
		case 0xfd: // v128.const
			if r.U32() != 12 {
				r.Bad = true
			}
			r.Take(16)
		default:
			return refuse("unsupported", "The module has an initialiser with the instruction 0x%02x, which is not supported.", op)
		}
	}
	return nil
}

func (c *checker) exportSection(r *wasmbin.Reader) error {
	n, err := c.count(r, maxExports, "exports")
	if err != nil {
		return err
	}
	for i := 0; i < n && !r.Bad; i++ {
		name, kind, index := r.Name(), r.Byte(), r.U32()
		switch {
		case name == "memory" && kind == 2:
			c.hasMemory = true
		case slices.Contains(entryNames, name) && kind == 0:
			if c.entries == nil {
				c.entries = map[string]int{}
			}
			c.entries[name] = int(index)
		case strings.HasPrefix(name, keptGlobal):
			c.reactor.changes = true
		}
	}
	return nil
}

func (c *checker) elementSection(r *wasmbin.Reader) error {
	n, err := c.count(r, maxSegments, "element segments")
	for i := 0; i < n && !r.Bad && err == nil; i++ {
		err = c.elementSegment(r)
	}
	return err
}

// elementSegment reads one of the eight forms of the specification.
func (c *checker) elementSegment(r *wasmbin.Reader) error {
	flags := r.U32()
	if flags > 7 {
		r.Bad = true
		return nil
	}
	if flags&1 == 0 { // active
		if flags&2 != 0 {
			r.U32()
		}
		if err := constant(r); err != nil {
			return err
		}
	}
	if flags&3 != 0 {
		r.Byte() // kind or type
	}
	n := r.U32()
	if c.elements += uint64(n); c.elements > maxElements {
		return refuse("too_complex", "The module's element segments have more than %d entries.", maxElements)
	}
	for i := uint32(0); i < n && !r.Bad; i++ {
		if flags&4 == 0 {
			r.U32()
		} else if err := constant(r); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) dataSection(r *wasmbin.Reader) error {
	n, err := c.count(r, maxSegments, "data segments")
	for i := 0; i < n && !r.Bad && err == nil; i++ {
		flags := r.U32()
		if flags > 2 {
			r.Bad = true
			return nil
		}
		if flags == 2 {
			r.U32()
		}
		if flags != 1 {
			err = constant(r)
		}
		r.Take(r.U32())
	}
	return err
}
