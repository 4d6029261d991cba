package toolchain

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// compileRust runs cargo where there is a Cargo.toml, and rustc without one.
func compileRust(ctx context.Context, dir, out string) error {
	rustc, target, linker, err := findRust(ctx, dir)
	if err != nil {
		return err
	}
	if out, err = absolute(out); err != nil {
		return err
	}
	flags := []string{"-C", "opt-level=s", "-C", "panic=abort", "-C", "strip=symbols", "-C", "lto=fat"}
	if linker != "" {
		flags = append(flags, "-C", "linker="+linker)
	}
	if isFile(filepath.Join(dir, "Cargo.toml")) {
		return runCargo(ctx, dir, out, rustc, target, linker)
	}
	main := "main.rs"
	if isFile(filepath.Join(dir, "src", "main.rs")) {
		main = filepath.Join("src", "main.rs")
	}
	_, err = run(ctx, dir, nil, rustc, slices.Concat([]string{"--edition", "2021", "--crate-name", "plugin", "--target", target, "-o", out}, flags, []string{main})...)
	return err
}

// rustCompiler names compiler and linker.
func rustCompiler(ctx context.Context, dir string) (string, error) {
	rustc, _, linker, err := findRust(ctx, dir)
	if err != nil {
		return "", err
	}
	version, err := firstLine(ctx, dir, rustc)
	if err != nil || linker == "" {
		return version, err
	}
	ld, err := firstLine(ctx, dir, linker)
	return version + ", " + ld, err
}

// findRust takes the first compiler that can build for WASI: the one that RUSTC names, that on the PATH, or the
// system's own, beside which there may be one of rustup's without the target.
func findRust(ctx context.Context, dir string) (rustc, target, linker string, err error) {
	for _, name := range []string{os.Getenv("RUSTC"), "rustc", "/usr/bin/rustc"} {
		tool, missing := exec.LookPath(name)
		if name == "" || missing != nil {
			continue
		}
		target, linker, failed := rustTarget(ctx, dir, tool)
		if failed == nil {
			return tool, target, linker, nil
		}
		if err == nil {
			err = failed
		}
	}
	if err == nil {
		err = &Missing{"Building needs Rust, and there is no rustc command here", installRust("")}
	}
	return "", "", "", err
}

// rustTarget chooses the name of the target, which changed in Rust 1.78, and
// the linker: Debian's Rust does not bring its own.
func rustTarget(ctx context.Context, dir, rustc string) (target, linker string, err error) {
	list, err := run(ctx, dir, nil, rustc, "--print", "target-list")
	if err != nil {
		return "", "", err
	}
	known := strings.Fields(list)
	for _, name := range []string{"wasm32-wasip1", "wasm32-wasi"} {
		if slices.Contains(known, name) {
			target = name
			break
		}
	}
	if target == "" {
		return "", "", &Missing{"This Rust has no target for WASI", installRust("")}
	}
	lib, err := run(ctx, dir, nil, rustc, "--print", "target-libdir", "--target", target)
	if err != nil {
		return "", "", err
	}
	if std, err := filepath.Glob(filepath.Join(escape(strings.TrimSpace(lib)), "libstd-*.rlib")); err != nil || len(std) == 0 {
		return "", "", &Missing{"Rust's standard library for " + target + " is not here", installRust(target)}
	}
	root, err := run(ctx, dir, nil, rustc, "--print", "sysroot")
	if err != nil {
		return "", "", err
	}
	if own, err := filepath.Glob(filepath.Join(escape(strings.TrimSpace(root)), "lib", "rustlib", "*", "bin", "rust-lld*")); err == nil && len(own) > 0 {
		return target, "", nil
	}
	for _, name := range []string{"wasm-ld", "wasm-ld-19", "wasm-ld-16", "wasm-ld-15", "wasm-ld-14"} {
		if path, err := exec.LookPath(name); err == nil {
			return target, path, nil
		}
	}
	return "", "", &Missing{"Rust finds no linker for WASI", installRust(target)}
}

// runCargo builds the folder's package and takes its only program.
func runCargo(ctx context.Context, dir, out, rustc, target, linker string) error {
	cargo, err := exec.LookPath("cargo")
	if err != nil {
		return &Missing{"The folder has a Cargo.toml, and there is no cargo command here", "sudo apt-get install cargo"}
	}
	env := []string{"RUSTC=" + rustc}
	if linker != "" {
		env = append(env, "CARGO_TARGET_"+strings.ToUpper(strings.ReplaceAll(target, "-", "_"))+"_LINKER="+linker)
	}
	if _, err := run(ctx, dir, env, cargo, "build", "--quiet", "--release", "--target", target); err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(escape(dir), "target", target, "release", "*.wasm"))
	if err != nil || len(found) != 1 {
		return &Failed{Hint: "cargo must build exactly one program; a plugin is one package with one main.rs."}
	}
	module, err := os.ReadFile(found[0])
	if err != nil {
		return err
	}
	return os.WriteFile(out, module, 0o644)
}

// installRust is a command that installs what is missing of Rust.
func installRust(target string) string {
	if _, err := exec.LookPath("rustup"); err == nil && target != "" {
		return "rustup target add " + target
	}
	if onDebian() {
		return "sudo apt-get install rustc libstd-rust-dev-wasm32 lld"
	}
	return "https://rustup.rs, then rustup target add wasm32-wasip1"
}
