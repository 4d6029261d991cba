package fuel

// scan reads what the rewriting of earlier sections needs to know of later ones.
func (rw *rewriter) scan(module []byte) error {
	r := reader{raw: module, pos: len(header)}
	var globals uint32
	for r.left() > 0 {
		id := r.byte()
		s := reader{raw: r.take(r.u32())}
		if r.bad {
			return errMalformed
		}
		switch id {
		case secType:
			rw.typeSection(&s)
		case secImport:
			globals += rw.importSection(&s)
		case secFunction:
			for n := s.count(); n > 0; n-- {
				rw.functions = append(rw.functions, s.u32())
			}
		case secGlobal:
			globals += s.u32()
		case secStart:
			rw.start, rw.hasStart = s.u32(), true
		}
		if s.bad {
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

func (rw *rewriter) typeSection(r *reader) {
	n := r.count()
	rw.types = make([]shape, n)
	for i := range rw.types {
		r.byte()
		params := r.take(r.u32())
		results := r.take(r.u32())
		rw.types[i] = shape{uint32(len(params)), len(params)+len(results) == 0}
	}
}

// importSection notes functions, and returns how many globals there are.
func (rw *rewriter) importSection(r *reader) (globals uint32) {
	for n := r.count(); n > 0 && !r.bad; n-- {
		r.take(r.u32())
		r.take(r.u32())
		switch r.byte() {
		case 0:
			rw.functions = append(rw.functions, r.u32())
			rw.imported++
		case 1:
			r.byte()
			r.limits()
		case 2:
			r.limits()
		case 3:
			r.byte()
			r.byte()
			globals++
		default:
			r.bad = true
		}
	}
	return globals
}
