package wasmplugins

import (
	"slices"
	"strings"
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

func (c *checker) typeSection(r *reader) error {
	n, err := c.count(r, maxTypes, "types")
	for i := 0; i < n && !r.bad && err == nil; i++ {
		if r.byte() != 0x60 {
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

func (c *checker) valueTypes(r *reader) ([]byte, error) {
	n, err := c.count(r, maxArity, "parameters or results in one type")
	list := r.take(uint32(n))
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

func (c *checker) importSection(r *reader) error {
	n, err := c.count(r, maxImports, "imports")
	if err != nil {
		return err
	}
	for range n {
		module, name, kind := r.name(), r.name(), r.byte()
		if r.bad {
			return nil
		}
		full := module + "." + name
		if module != "wasi_snapshot_preview1" && module != "octopus_v1" {
			return refuse("imports", "The module imports %.200q. Only wasi_snapshot_preview1 and octopus_v1 are there; remove what needs it, or build for wasm32-wasip1.", full)
		}
		if kind != 0 {
			return refuse("imports", "The module imports %.200q as something other than a function. Define memory and tables in the module itself.", full)
		}
		if err := c.importedFunction(module, name, r.u32()); err != nil {
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

func (c *checker) functionSection(r *reader) error {
	n, err := c.count(r, maxFunctions-c.imported, "functions")
	if err != nil || n > r.left() {
		r.bad = r.bad || err == nil
		return err
	}
	c.functions = make([]uint32, n)
	for i := range c.functions {
		c.functions[i] = r.u32()
	}
	c.info.Functions = n
	return nil
}

// bounds reads limits: a minimum and perhaps a maximum.
func (c *checker) bounds(r *reader, what string) (minimum uint32, err error) {
	switch flags := r.byte(); {
	case flags&2 != 0:
		return 0, refuse("unsupported", "The module's %s is shared, which needs threads. Build it without threads.", what)
	case flags&4 != 0:
		return 0, refuse("unsupported", "The module's %s has 64-bit addresses, which are not supported. Build it for wasm32.", what)
	case flags > 1:
		return 0, refuse("malformed", "The module's %s has unknown limits.", what)
	default:
		minimum = r.u32()
		if flags == 1 {
			r.u32()
		}
		return minimum, nil
	}
}

func (c *checker) tableSection(r *reader) error {
	n := r.u32()
	if n > 1 {
		return refuse("too_complex", "The module has %d tables; one is allowed.", n)
	}
	if c.tables = int(n); n == 0 {
		return nil
	}
	if b := r.byte(); b != typeFuncref && b != typeExternref {
		return refuse("unsupported", "The module's table holds something other than functions.")
	}
	minimum, err := c.bounds(r, "table")
	if err == nil && minimum > maxTable {
		err = refuse("too_complex", "The module's table has %d entries; at most %d are allowed.", minimum, maxTable)
	}
	return err
}

func (c *checker) memorySection(r *reader) error {
	n := r.u32()
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

func (c *checker) globalSection(r *reader) error {
	n, err := c.count(r, maxGlobals, "globals")
	for i := 0; i < n && !r.bad && err == nil; i++ {
		typ, mutable := r.byte(), r.byte()
		c.reactor.global(i, typ, mutable != 0)
		err = constant(r)
	}
	return err
}

// constant skips an initialiser.
func constant(r *reader) error {
	for !r.bad {
		switch op := r.byte(); op {
		case 0x0b:
			return nil
		case 0x41, 0x42: // i32.const, i64.const
			skipLEB(r)
		case 0x43:
			r.take(4)
		case 0x44:
			r.take(8)
		case 0x23, 0xd2: // global.get, ref.func
			r.u32()
		case 0xd0: // ref.null
			r.byte()
		case 0xfd: // v128.const
			if r.u32() != 12 {
				r.bad = true
			}
			r.take(16)
		default:
			return refuse("unsupported", "The module has an initialiser with the instruction 0x%02x, which is not supported.", op)
		}
	}
	return nil
}

func (c *checker) exportSection(r *reader) error {
	n, err := c.count(r, maxExports, "exports")
	if err != nil {
		return err
	}
	for i := 0; i < n && !r.bad; i++ {
		name, kind, index := r.name(), r.byte(), r.u32()
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

func (c *checker) elementSection(r *reader) error {
	n, err := c.count(r, maxSegments, "element segments")
	for i := 0; i < n && !r.bad && err == nil; i++ {
		err = c.elementSegment(r)
	}
	return err
}

// elementSegment reads one of the eight forms of the specification.
func (c *checker) elementSegment(r *reader) error {
	flags := r.u32()
	if flags > 7 {
		r.bad = true
		return nil
	}
	if flags&1 == 0 { // active
		if flags&2 != 0 {
			r.u32()
		}
		if err := constant(r); err != nil {
			return err
		}
	}
	if flags&3 != 0 {
		r.byte() // kind or type
	}
	n := r.u32()
	if c.elements += uint64(n); c.elements > maxElements {
		return refuse("too_complex", "The module's element segments have more than %d entries.", maxElements)
	}
	for i := uint32(0); i < n && !r.bad; i++ {
		if flags&4 == 0 {
			r.u32()
		} else if err := constant(r); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) dataSection(r *reader) error {
	n, err := c.count(r, maxSegments, "data segments")
	for i := 0; i < n && !r.bad && err == nil; i++ {
		flags := r.u32()
		if flags > 2 {
			r.bad = true
			return nil
		}
		if flags == 2 {
			r.u32()
		}
		if flags != 1 {
			err = constant(r)
		}
		r.take(r.u32())
	}
	return err
}
