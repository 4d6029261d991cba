// Package toolchain compiles an author's folder to a WASI module, with the
// compiler of the language that it finds there, and says how to get that
// compiler where it is missing.
package toolchain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Language is one that plugins are written in.
type Language struct {
	// Name is what --lang takes, Title how people write it.
	Name, Title string
	// marks are patterns of files of which one must be there.
	marks   []string
	compile func(ctx context.Context, dir, out string) error
	// compiler says which compiler that takes; nil where it is not told.
	compiler func(ctx context.Context, dir string) (string, error)
}

// Languages are those that Compile knows. The first whose files are there is
// taken: a folder may hold a helper in C beside its Rust.
func Languages() []Language {
	return []Language{
		{"go", "Go", []string{"*.go"}, compileGo, nil},
		{"rust", "Rust", []string{"Cargo.toml", "main.rs", "src/main.rs"}, compileRust, rustCompiler},
		{"assemblyscript", "AssemblyScript", []string{"assembly/index.ts", "index.ts"}, compileAssemblyScript, nil},
		{"js", "JavaScript", []string{ScriptFile}, compileScript, nil},
		{"c", "C", []string{"*.c"}, compileC, cCompiler},
	}
}

// Detect says in which language a folder's plugin is written.
func Detect(dir string) (Language, bool) {
	for _, l := range Languages() {
		for _, mark := range l.marks {
			if found, err := filepath.Glob(filepath.Join(escape(dir), filepath.FromSlash(mark))); err == nil && len(found) > 0 {
				return l, true
			}
		}
	}
	return Language{}, false
}

// escape keeps Glob from reading a folder's own name as a pattern.
func escape(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// Compile writes the module to out. The error is *Missing where a tool is not
// there, and *Failed where the program does not compile.
func (l Language) Compile(ctx context.Context, dir, out string) error {
	return l.compile(ctx, dir, out)
}

// Compiler names the compiler that Compile takes, with its version: the same
// one makes the same module of the same sources. It is known for C and Rust,
// else empty.
func (l Language) Compiler(ctx context.Context, dir string) (string, error) {
	if l.compiler == nil {
		return "", nil
	}
	return l.compiler(ctx, dir)
}

// firstLine is what a tool says of itself.
func firstLine(ctx context.Context, dir, tool string) (string, error) {
	said, err := run(ctx, dir, nil, tool, "--version")
	line, _, _ := strings.Cut(said, "\n")
	return strings.TrimSpace(line), err
}

// Missing is a tool that is not installed, or too old.
type Missing struct {
	// What is missing, as in "There is no go command here".
	What string
	// Install is the command that installs it.
	Install string
}

// Error is the sentence.
func (e *Missing) Error() string { return fmt.Sprintf("%s; install it with: %s", e.What, e.Install) }

// Failed is a program that does not compile; Said is what the compiler said.
type Failed struct {
	Said string
	// Hint is a sentence where more can be said than the compiler did.
	Hint string
}

// Error is the hint, or that the compiler said why.
func (e *Failed) Error() string {
	if e.Hint != "" {
		return e.Hint
	}
	return "it does not compile; the lines above say why"
}

// run runs a compiler in dir.
func run(ctx context.Context, dir string, env []string, name string, args ...string) (said string, err error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	if ctx.Err() != nil {
		return out.String(), ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = &Failed{Said: out.String()}
	}
	return out.String(), err
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// absolute is for compilers that run in another folder.
func absolute(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("folder: %w", err)
	}
	return abs, nil
}

// onDebian says whether packages come from apt.
func onDebian() bool {
	_, err := exec.LookPath("apt-get")
	return err == nil
}
