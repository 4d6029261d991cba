package toolchain

import (
	"context"
	"os/exec"
	"path/filepath"
	"runtime"
)

// compileAssemblyScript runs the compiler that npm put into the folder, or
// one on the PATH.
func compileAssemblyScript(ctx context.Context, dir, out string) error {
	asc := filepath.Join(dir, "node_modules", ".bin", "asc")
	if runtime.GOOS == "windows" {
		asc += ".cmd"
	}
	asc, err := absolute(asc)
	if err != nil {
		return err
	}
	if !isLinked(asc) {
		if asc, err = exec.LookPath("asc"); err != nil {
			return missingAssemblyScript()
		}
	}
	entry := "index.ts"
	if isFile(filepath.Join(dir, "assembly", "index.ts")) {
		entry = "assembly/index.ts"
	}
	if out, err = absolute(out); err != nil {
		return err
	}
	_, err = run(ctx, dir, nil, asc, entry, "--outFile", out, "--optimizeLevel", "3", "--shrinkLevel", "1", "--runtime", "incremental",
		"--exportStart", "_start", "--use", "abort="+abortOf(entry))
	return err
}

// abortOf names the SDK's function that takes the place of the import env.abort.
func abortOf(entry string) string {
	return filepath.ToSlash(filepath.Join(filepath.Dir(entry), "octopus")) + "/abort"
}

func isLinked(path string) bool {
	_, err := exec.LookPath(path)
	return err == nil
}

func missingAssemblyScript() error {
	if _, err := exec.LookPath("npm"); err != nil {
		install := "https://nodejs.org/en/download, then npm install in the plugin's folder"
		if onDebian() {
			install = "sudo apt-get install nodejs npm && npm install"
		}
		return &Missing{"Building needs Node.js and the AssemblyScript compiler, and there is no npm here", install}
	}
	return &Missing{"The AssemblyScript compiler is not in this folder", "npm install"}
}
