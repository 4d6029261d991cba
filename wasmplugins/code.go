package wasmplugins

import (
	"context"
)

// nameSection holds the names of functions, which traps tell.
const nameSection = "name"

// maxCodes bounds what a pool remembers of modules; a hundred bytes each.
const maxCodes = 4096

// codeOf returns what is compiled of a module: all but the custom sections, the
// names of functions aside. Script plugins of one engine have the same, and so
// have two versions that differ in their manifest. It does not change module.
func codeOf(module []byte) []byte {
	out := make([]byte, 0, len(module))
	out = append(out, header...)
	err := sections(module, func(s section) bool {
		if s.id != secCustom || s.name == nameSection {
			out = append(out, module[s.start:s.end]...)
		}
		return true
	})
	if err != nil || len(out) == len(module) {
		return module // what is broken is refused as it is
	}
	return out
}

// codeForm says under which digest the compiled form of a module is kept. A
// module that this pool sees for the first time is loaded and checked whole,
// because what others compiled of the same code says nothing of its manifest
// and its script; it is then returned.
func (p *Pool) codeForm(ctx context.Context, f form) (code form, module []byte, err error) {
	p.mu.Lock()
	digest, known := p.codes[f.digest]
	p.mu.Unlock()
	if known {
		return form{digest, f.fuel}, nil, nil
	}
	if !digestShape.MatchString(f.digest) {
		_, _, err := p.cache.find(f)
		return f, nil, err
	}
	if module, err = p.load(ctx, f.digest); err != nil {
		return f, nil, err
	}
	if _, err := Check(module, 0); err != nil {
		return f, nil, err
	}
	digest = Digest(codeOf(module))
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.codes) >= maxCodes {
		clear(p.codes)
	}
	p.codes[f.digest] = digest
	return form{digest, f.fuel}, module, nil
}
