package fuel

import "octopus/wasmplugins/internal/wasmbin"

// scan reads what the rewriting of earlier sections needs to know of later ones.
func (rw *rewriter) scan(module []byte) error {
	r := wasmbin.Reader{Raw: module, Pos: len(header)}
	var globals uint32
	for r.Left() > 0 {
		id := r.Byte()
		s := wasmbin.Reader{Raw: r.Take(r.U32())}
		if r.Bad {
			return errMalformed
		}
		switch id {
		case secType:
			rw.typeSection(&s)
		case secImport:
			globals += rw.importSection(&s)
		case secFunction:
			for n := s.Count(); n > 0; n-- {
				rw.functions = append(rw.functions, s.U32())
			}
		case secGlobal:
			globals += s.U32()
		case secStart:
			rw.start, rw.hasStart = s.U32(), true
		}
		if s.Bad {
			return errMalformed
		}
	}
	rw.global, rw.walker.globals, rw.walker.imported = globals, globals, uint32(rw.imported)
	if rw.hasStart && !rw.startable() {
		return errMalformed
	}
	return nil
}

// startable says whether the start function takes and returns nothing: as an
// export nobody else would check that.
func (rw *rewriter) startable() bool {
	if uint64(rw.start) >= uint64(len(rw.functions)) {
		return false
	}
	typ := rw.functions[rw.start]
	return uint64(typ) < uint64(len(rw.types)) && rw.types[typ].nothing
}

func (rw *rewriter) typeSection(r *wasmbin.Reader) {
	n := r.Count()
	rw.types = make([]shape, n)
	for i := range rw.types {
		r.Byte()
		params := r.Take(r.U32())
		results := r.Take(r.U32())
		rw.types[i] = shape{uint32(len(params)), len(params)+len(results) == 0}
	}
}

// importSection notes functions, and returns how many globals there are.
func (rw *rewriter) importSection(r *wasmbin.Reader) (globals uint32) {
	for n := r.Count(); n > 0 && !r.Bad; n-- {
		r.Take(r.U32())
		r.Take(r.U32())
		switch r.Byte() {
		case 0:
			rw.functions = append(rw.functions, r.U32())
			rw.imported++
		case 1:
			r.Byte()
			r.Limits()
		case 2:
			r.Limits()
		case 3:
			r.Byte()
			r.Byte()
			globals++
		default:
			r.Bad = true
		}
	}
	return globals
}
