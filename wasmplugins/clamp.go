package wasmplugins

import (
	"encoding/binary"
	"fmt"

	"octopus/wasmplugins/internal/fuel"
	"octopus/wasmplugins/internal/runner"
	"octopus/wasmplugins/internal/wasmbin"
)

// rewrite makes what is compiled of a module that has passed Check.
func rewrite(module []byte, counting bool) (runner.Module, error) {
	out := runner.Module{Code: codeOf(module)}
	if changes, ok := reactorOf(out.Code); ok {
		out.Reactor, out.Snapshot = true, changes.keeps()
		if out.Snapshot {
			out.Code, out.Globals = exportGlobals(out.Code, changes.globals)
		}
	}
	out.Code = mergeData(clampTable(out.Code))
	if !counting {
		return out, nil
	}
	code, err := fuel.Rewrite(out.Code)
	if err != nil {
		return out, fmt.Errorf("counting fuel: %w", err)
	}
	out.Code = code
	return out, nil
}

// clampTable returns the module with its table's maximum set to maxTable or
// what it has, whichever is less: tables are not under the memory limit. The
// module has passed Check; where nothing changes it is returned as it is.
func clampTable(module []byte) []byte {
	var out []byte
	_ = sections(module, func(s section) bool {
		if s.id != secTable || len(s.body) < 4 {
			return s.id == secCustom || order[s.id] < order[secTable]
		}
		r := wasmbin.Reader{Raw: s.body, Pos: 1}
		element, flags, minimum := r.Byte(), r.Byte(), r.U32()
		maximum := uint32(maxTable)
		if flags == 1 {
			if maximum = r.U32(); maximum <= maxTable {
				return false
			}
			maximum = maxTable
		}
		body := binary.AppendUvarint([]byte{1, element, 1}, uint64(minimum))
		body = binary.AppendUvarint(body, uint64(maximum))
		out = make([]byte, 0, len(module)+8)
		out = append(append(out, module[:s.start]...), secTable)
		out = binary.AppendUvarint(out, uint64(len(body)))
		out = append(append(out, body...), module[s.end:]...)
		return false
	})
	if out == nil {
		return module
	}
	return out
}

// fitsMemory repeats the one check that depends on the job: a module that was
// compiled for a larger limit must not start under a smaller one.
func fitsMemory(module []byte, limit uint64) error {
	c := checker{maxMemory: limit}
	err := sections(module, func(s section) bool {
		if s.id == secMemory {
			c.err = c.memorySection(&wasmbin.Reader{Raw: s.body})
		}
		return s.id == secCustom || order[s.id] < order[secMemory]
	})
	if err == nil {
		err = c.err
	}
	return err
}
