package folder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"octopus/internal/octopus"
)

// The files of a plugin's folder, as octopus plugins new makes it.
const (
	manifestFile = "plugin.yaml"
	scriptFile   = "plugin.js"
	moduleFile   = "plugin.wasm"
)

// maxText is the size in bytes that a script or a manifest may have.
const maxText = 1 << 20

// plugin is something in the folder that may be one.
type plugin struct {
	name     string // as [File].Name
	code     string // module or script, a path in the folder; "" where there is none
	manifest string // its plugin.yaml, "" where the module holds its manifest
	problem  string // why a folder is no plugin
}

// plugins lists what may be a plugin, by name, and the folders. What is no plain file is left out, and so are hidden
// names, which are what editors and copiers write first.
func plugins(root *os.Root) (list []plugin, folders []string, err error) {
	files, folders, err := entries(root, ".")
	if err != nil {
		return nil, nil, err
	}
	list = modules("", files)
	for _, name := range folders[:min(len(folders), maxFolders)] {
		inside, _, err := entries(root, name)
		switch {
		case err != nil: // gone meanwhile, or not ours to read
		case slices.Contains(inside, manifestFile):
			list = append(list, ofFolder(name, inside))
		default:
			list = append(list, modules(name, inside)...)
		}
	}
	slices.SortFunc(list, func(a, b plugin) int { return strings.Compare(a.name, b.name) })
	return list[:min(len(list), maxFiles)], folders, nil
}

// entries are the names in a folder, sorted: of plain files, and of folders.
func entries(root *os.Root, name string) (files, folders []string, err error) {
	dir, err := root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer dir.Close()
	all, err := dir.ReadDir(-1)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range all {
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.Type().IsRegular():
			files = append(files, e.Name())
		case e.IsDir():
			folders = append(folders, e.Name())
		}
	}
	slices.Sort(files)
	slices.Sort(folders)
	return files, folders, nil
}

// modules are the files that hold a module and its manifest.
func modules(folder string, files []string) (list []plugin) {
	for _, name := range files {
		if strings.HasSuffix(name, ".wasm") {
			name = path.Join(folder, name)
			list = append(list, plugin{name: name, code: name})
		}
	}
	return list
}

// ofFolder is the plugin of a folder with a plugin.yaml. It takes what octopus plugins pack takes: the script, or the
// module by its name, or the only one.
func ofFolder(folder string, files []string) plugin {
	p := plugin{name: folder + "/", manifest: path.Join(folder, manifestFile)}
	built := slices.DeleteFunc(slices.Clone(files), func(name string) bool { return !strings.HasSuffix(name, ".wasm") })
	for _, name := range []string{scriptFile, moduleFile, folder + ".wasm"} {
		if slices.Contains(files, name) {
			p.code = path.Join(folder, name)
			return p
		}
	}
	switch len(built) {
	case 0:
		p.problem = fmt.Sprintf("There is a %s, but neither a module nor a %s. Build it first: octopus plugins build.", manifestFile, scriptFile)
	case 1:
		p.code = path.Join(folder, built[0])
	default:
		p.problem = fmt.Sprintf("There are %d .wasm files beside the %s. Name the one that is meant %s.", len(built), manifestFile, moduleFile)
	}
	return p
}

// look takes one plugin where it is new or changed; false: it is not settled.
func (f *Folder) look(ctx context.Context, root *os.Root, p plugin) bool {
	stamp, settled, gone := f.stamp(root, p)
	if gone {
		return true
	}
	if s, ok := f.known[p.name]; ok && !s.open() && s.stamp == stamp {
		return true
	}
	if !settled {
		return false
	}
	module, err := f.read(root, p)
	if errors.Is(err, errChanged) {
		return false
	}
	s := seen{stamp: stamp, file: File{Name: p.name, At: time.Now()}}
	if err == nil {
		var status octopus.SubmissionStatus
		status, err = f.cfg.Catalog.Found(ctx, module, f.cfg.Publish)
		s.file.Status = string(status)
	}
	if ctx.Err() != nil {
		return true // this server stops
	}
	f.keep(s, err)
	return true
}

// stamp tells one state of a plugin's files from another, and whether nobody has written them for a while.
func (f *Folder) stamp(root *os.Root, p plugin) (stamp string, settled, gone bool) {
	settled, stamp = true, p.problem
	for _, name := range []string{p.code, p.manifest} {
		if name == "" {
			continue
		}
		info, err := root.Lstat(name)
		if err != nil || !info.Mode().IsRegular() {
			return "", false, true
		}
		age := time.Since(info.ModTime())
		settled = settled && (age < 0 || age >= f.cfg.Settle)
		stamp += fmt.Sprintf("%s %d %d\n", name, info.Size(), info.ModTime().UnixNano())
	}
	return stamp, settled, false
}

var errChanged = errors.New("it changed while it was read")

// read returns the module of a plugin whose files were not written meanwhile.
func (f *Folder) read(root *os.Root, p plugin) (module []byte, err error) {
	if p.problem != "" {
		return nil, octopus.Errorf(octopus.CodeInvalid, "%s", p.problem)
	}
	script := path.Base(p.code) == scriptFile
	if script {
		module, err = readFile(root, p.code, readText)
	} else {
		module, err = readFile(root, p.code, f.cfg.Catalog.ReadModule)
	}
	if err != nil || p.manifest == "" {
		return module, err
	}
	manifest, err := readFile(root, p.manifest, readText)
	switch {
	case err != nil:
		return nil, err
	case script:
		return f.cfg.Catalog.PackScript(module, manifest)
	}
	return f.cfg.Catalog.PackModule(module, manifest)
}

func readText(r io.Reader, size int64) ([]byte, error) {
	if size > maxText {
		return nil, octopus.Errorf(octopus.CodeTooLarge, "A script and its manifest may have %d MiB each.", maxText>>20)
	}
	return io.ReadAll(io.LimitReader(r, maxText))
}

// readFile reads a plain file that was not written meanwhile.
func readFile(root *os.Root, name string, all func(io.Reader, int64) ([]byte, error)) ([]byte, error) {
	before, err := root.Lstat(name)
	if err != nil || !before.Mode().IsRegular() {
		return nil, errChanged
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, unreadable(name, err)
	}
	defer file.Close()
	opened, err := file.Stat()
	if err != nil || !os.SameFile(before, opened) {
		return nil, errChanged // another file, or a link, took its place
	}
	content, err := all(io.LimitReader(file, before.Size()+1), before.Size())
	if pathError := (*fs.PathError)(nil); errors.As(err, &pathError) {
		return nil, unreadable(name, err)
	}
	if err != nil {
		return nil, err
	}
	after, err := file.Stat()
	if err != nil || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) || int64(len(content)) != before.Size() {
		return nil, errChanged
	}
	return content, nil
}

func unreadable(name string, err error) error {
	return octopus.Errorf(octopus.CodeInvalid, "%s cannot be read: %v.", name, cause(err))
}
