package wasmplugins

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"octopus/sdk/spec"
	"octopus/wasmplugins/internal/wasmbin"
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
	r := wasmbin.Reader{Raw: module, Pos: len(header)}
	for r.Left() > 0 {
		s := section{start: r.Pos}
		s.id = r.Byte()
		s.body = r.Take(r.U32())
		s.end = r.Pos
		if r.Bad {
			return refuse("malformed", "The module is cut off in the section at byte %d. Build or download it again.", s.start)
		}
		if s.id == secCustom {
			c := wasmbin.Reader{Raw: s.body}
			s.name = c.Name()
			if c.Bad {
				return refuse("malformed", "The module's custom section at byte %d is broken. Build it again.", s.start)
			}
			s.body = s.body[c.Pos:]
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
