package wasmplugins

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"octopus/sdk/spec"
)

// MaxModule is the size in bytes that a module may have.
const MaxModule = 32 << 20

// ManifestSection is the custom section that holds the manifest as JSON.
const ManifestSection = "octopus.manifest"

// Section ids of a wasm module, in the order that modules must keep.
const (
	secCustom = iota
	secType
	secImport
	secFunction
	secTable
	secMemory
	secGlobal
	secExport
	secStart
	secElement
	secCode
	secData
	secDataCount
)

var header = []byte("\x00asm\x01\x00\x00\x00")

// ErrNoManifest is what ManifestOf returns for a module without the section.
var ErrNoManifest = errors.New("The module has no manifest. Run: octopus plugins pack") //nolint:revive // a sentence for people

// Digest is the identity of a module: "sha256:<hex>".
func Digest(module []byte) string {
	sum := sha256.Sum256(module)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// reader walks bytes. Reading past the end sets bad and returns zeroes, so
// that callers check once.
type reader struct {
	raw []byte
	pos int
	bad bool
}

func (r *reader) left() int { return len(r.raw) - r.pos }

func (r *reader) byte() byte {
	if r.pos >= len(r.raw) {
		r.bad = true
		return 0
	}
	r.pos++
	return r.raw[r.pos-1]
}

// u32 reads an unsigned LEB128 of at most 32 bits.
func (r *reader) u32() uint32 {
	var v uint32
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		if shift == 28 && b > 0x0f {
			break
		}
		v |= uint32(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	r.bad = true
	return 0
}

// take returns the next n bytes, which alias the module.
func (r *reader) take(n uint32) []byte {
	if uint64(n) > uint64(r.left()) {
		r.bad = true
		r.pos = len(r.raw)
		return nil
	}
	r.pos += int(n)
	return r.raw[r.pos-int(n) : r.pos]
}

func (r *reader) name() string { return string(r.take(r.u32())) }

// section is one section: start is where its id is, body what it holds.
type section struct {
	id         byte
	start, end int
	body       []byte
	// name is set for custom sections, and body is then what follows it.
	name string
}

// sections calls each for every section until it returns false. The error is
// *Refusal.
func sections(module []byte, each func(section) bool) error {
	if err := checkHeader(module); err != nil {
		return err
	}
	r := reader{raw: module, pos: len(header)}
	for r.left() > 0 {
		s := section{start: r.pos}
		s.id = r.byte()
		s.body = r.take(r.u32())
		s.end = r.pos
		if r.bad {
			return refuse("malformed", "The module is cut off in the section at byte %d. Build or download it again.", s.start)
		}
		if s.id == secCustom {
			c := reader{raw: s.body}
			s.name = c.name()
			if c.bad {
				return refuse("malformed", "The module's custom section at byte %d is broken. Build it again.", s.start)
			}
			s.body = s.body[c.pos:]
		}
		if !each(s) {
			return nil
		}
	}
	return nil
}

// ManifestOf reads the custom section octopus.manifest, without running or
// compiling the module.
func ManifestOf(module []byte) (spec.Manifest, error) {
	raw, err := CustomSection(module, ManifestSection)
	if err != nil {
		return spec.Manifest{}, err
	}
	if raw == nil {
		return spec.Manifest{}, ErrNoManifest
	}
	return spec.DecodeManifest(raw)
}

// CustomSection returns the contents of a custom section, nil where there is
// none. Two sections of one name are refused: readers would disagree.
func CustomSection(module []byte, name string) ([]byte, error) {
	var found []byte
	n := 0
	err := sections(module, func(s section) bool {
		if s.id == secCustom && s.name == name {
			found = s.body[:len(s.body):len(s.body)]
			n++
		}
		return true
	})
	if err == nil && n > 1 {
		err = refuse("malformed", "The module has %d sections named %s. Pack it again.", n, name)
	}
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Pack puts a manifest into a module, replacing one that is there. The
// section goes to the end, where every toolchain's own sections stay valid.
func Pack(module, manifestJSON []byte) ([]byte, error) {
	m, err := spec.DecodeManifest(manifestJSON)
	if err != nil {
		return nil, err
	}
	if problems := m.Validate(); len(problems) > 0 {
		return nil, fmt.Errorf("%s: %s", problems[0].Path, problems[0].Message)
	}
	return putSection(module, ManifestSection, manifestJSON)
}

// putSection puts a custom section at the end of a module, in place of those
// of its name.
func putSection(module []byte, name string, content []byte) ([]byte, error) {
	out := make([]byte, 0, len(module)+len(content)+32)
	out = append(out, header...)
	err := sections(module, func(s section) bool {
		if s.id != secCustom || s.name != name {
			out = append(out, module[s.start:s.end]...)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	body := binary.AppendUvarint(nil, uint64(len(name)))
	body = append(body, name...)
	body = append(body, content...)
	out = append(out, secCustom)
	out = binary.AppendUvarint(out, uint64(len(body)))
	return append(out, body...), nil
}
