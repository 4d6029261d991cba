package toolchain

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// compileC compiles all .c files of a folder with clang: that of the WASI SDK
// where WASI_SDK_PATH names one, else the one that is installed.
func compileC(ctx context.Context, dir, out string) error {
	tool, err := findC()
	if err != nil {
		return err
	}
	sources, err := filepath.Glob(filepath.Join(escape(dir), "*.c"))
	if err != nil {
		return err
	}
	for i := range sources {
		sources[i] = filepath.Base(sources[i])
	}
	if out, err = absolute(out); err != nil {
		return err
	}
	args := slices.Concat([]string{"--target=wasm32-wasi", "-O2", "-Wall", "-Wl,--strip-all", "-o", out}, sources)
	said, err := run(ctx, dir, nil, tool, args...)
	var failed *Failed
	if errors.As(err, &failed) {
		for _, sign := range []string{"'stdio.h' file not found", "bits/libc-header-start.h", "wasm-ld", "libclang_rt.builtins-wasm32.a", "cannot open crt1", "No available targets are compatible"} {
			if strings.Contains(said, sign) {
				return &Missing{"This clang cannot build for WASI (" + sign + ")", installC()}
			}
		}
	}
	return err
}

// findC is the SDK's compiler where there is one, else that on the PATH.
func findC() (string, error) {
	clang, sdk := "clang", os.Getenv("WASI_SDK_PATH")
	if sdk != "" {
		clang = filepath.Join(sdk, "bin", "clang")
	}
	tool, err := exec.LookPath(clang)
	if err != nil {
		return "", &Missing{"Building needs clang for WASI, and there is no " + clang + " here", installC()}
	}
	return tool, nil
}

func cCompiler(ctx context.Context, dir string) (string, error) {
	tool, err := findC()
	if err != nil {
		return "", err
	}
	compiler, err := firstLine(ctx, dir, tool)
	if err != nil {
		return "", err
	}
	if _, err := exec.LookPath("wasm-opt"); err != nil {
		return compiler, nil
	}
	optimizer, err := firstLine(ctx, dir, "wasm-opt") // clang runs it where it finds it
	return compiler + " with " + optimizer, err
}

// installC is a command that installs a C compiler for WASI.
func installC() string {
	if onDebian() {
		return "sudo apt-get install clang lld wasi-libc libclang-rt-dev-wasm32"
	}
	return "get the WASI SDK from https://github.com/WebAssembly/wasi-sdk/releases, unpack it, and set WASI_SDK_PATH to its folder"
}
