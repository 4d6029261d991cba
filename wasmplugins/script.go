package wasmplugins

import (
	"bytes"
	"unicode/utf8"
)

// ScriptSection is the custom section that holds the source of a script
// plugin. The rest of its module is an engine, which asks for the script with
// the operation "source"; its runner answers.
const ScriptSection = "octopus.script"

// MaxScript is the size in bytes that a script may have.
const MaxScript = 1 << 20

// PackScript puts a script into an engine, replacing one that is there.
func PackScript(engine, script []byte) ([]byte, error) {
	if err := checkScript(script); err != nil {
		return nil, err
	}
	return putSection(engine, ScriptSection, script)
}

// CheckScriptSource says whether a script can be packed. The error is *Refusal.
func CheckScriptSource(script []byte) error { return checkScript(script) }

// ScriptOf returns the source that a module carries, nil where it is no
// script plugin.
func ScriptOf(module []byte) ([]byte, error) { return CustomSection(module, ScriptSection) }

// scriptIn says where in a module its script is; a size of 0 is none.
func scriptIn(module []byte) (at, size int, err error) {
	err = sections(module, func(s section) bool {
		if s.id == secCustom && s.name == ScriptSection {
			at, size = s.end-len(s.body), len(s.body)
		}
		return true
	})
	return at, size, err
}

func checkScript(script []byte) error {
	switch {
	case len(bytes.TrimSpace(script)) == 0:
		return refuse("script", "The script is empty.")
	case len(script) > MaxScript:
		return refuse("script", "The script is %d KiB long; at most %d KiB are allowed. Leave out what it does not need, or have it minified.", len(script)>>10, MaxScript>>10)
	case bytes.IndexByte(script, 0) >= 0:
		return refuse("script", "The script has a NUL at byte %d. It must be text.", bytes.IndexByte(script, 0))
	case !utf8.Valid(script):
		return refuse("script", "The script is not UTF-8. Save it as UTF-8.")
	}
	return nil
}

// script checks the section of a module: what nobody could run is refused
// before it is stored, and so are two, of which readers would take another.
func (c *checker) script(source []byte) error {
	if c.info.HasScript {
		return refuse("malformed", "The module has two sections named %s. Pack it again.", ScriptSection)
	}
	c.info.HasScript = true
	return checkScript(source)
}
