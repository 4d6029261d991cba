package broker

import (
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"octopus/agent/policy"
	"octopus/sdk/spec"
)

// folder is a directory with some files, without symbolic links in its own path.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// filesIn is a broker that may use directories, each "path" or "path rw", as grant and owner say.
func filesIn(t *testing.T, granted, owner []string, change func(*Config)) *Broker {
	t.Helper()
	list := func(texts []string) (out []spec.File) {
		for _, text := range texts {
			dir, mode, _ := strings.Cut(text, " ")
			out = append(out, spec.File{Path: dir, Mode: mode})
		}
		return out
	}
	c := Config{Grant: spec.Capabilities{Files: list(granted)}}
	if owner != nil {
		c.Policy = policy.Open(list(owner), nil)
	}
	if change != nil {
		change(&c)
	}
	return newBroker(t, c)
}

type object = map[string]any

func TestFileRead(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"a.txt": "hällo wörld", "raw": "\xff\xfe\x00", "empty": ""})
	b := filesIn(t, []string{dir}, []string{dir}, nil)
	read := func(name string, more object) object {
		t.Helper()
		req := object{"path": filepath.Join(dir, name)}
		for k, v := range more {
			req[k] = v
		}
		reply, code, message := call(t, b, "file.read", req)
		if code != "" {
			t.Fatalf("%s: %s %s", name, code, message)
		}
		return reply
	}
	if r := read("a.txt", nil); r["body"] != "hällo wörld" || r["eof"] != true || r["size"] != 13.0 || r["bytes"] != 13.0 || r["modified"] == "" {
		t.Errorf("%v", r)
	}
	if r := read("raw", nil); r["body_base64"] != "//4A" || r["eof"] != true {
		t.Errorf("%v", r)
	}
	if r := read("empty", nil); r["bytes"] != 0.0 || r["eof"] != true {
		t.Errorf("%v", r)
	}
	if r := read("a.txt", object{"offset": 100}); r["bytes"] != 0.0 || r["eof"] != true {
		t.Errorf("beyond the end: %v", r)
	}
	// Pages never cut a character, and together are the file.
	whole := ""
	for offset := 0.0; ; {
		r := read("a.txt", object{"offset": offset, "max_bytes": 2})
		whole += r["body"].(string)
		if offset += r["bytes"].(float64); r["eof"] == true {
			break
		}
		if r["bytes"] == 0.0 || r["bytes"].(float64) > 2 {
			t.Fatalf("%v", r)
		}
	}
	if whole != "hällo wörld" {
		t.Errorf("%q", whole)
	}
}

func TestFileWrite(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"old.txt": "before", "sub/x": ""})
	if err := os.Chmod(filepath.Join(dir, "old.txt"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := filesIn(t, []string{dir + " rw"}, []string{dir + " rw"}, nil)
	write := func(name string, more object) (object, string) {
		req := object{"path": filepath.Join(dir, name)}
		for k, v := range more {
			req[k] = v
		}
		reply, code, _ := call(t, b, "file.write", req)
		return reply, code
	}
	content := func(name string) string {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		}
		return string(raw)
	}
	if r, code := write("new.txt", object{"body": "one"}); code != "" || r["bytes"] != 3.0 || content("new.txt") != "one" {
		t.Errorf("%v %s", r, code)
	}
	if r, code := write("old.txt", object{"body_base64": base64.StdEncoding.EncodeToString([]byte{0, 255})}); code != "" || content("old.txt") != "\x00\xff" {
		t.Errorf("%v %s", r, code)
	}
	if info, err := os.Stat(filepath.Join(dir, "old.txt")); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != 0o600) {
		t.Errorf("the permissions changed: %v %v", info.Mode(), err)
	}
	if r, code := write("new.txt", object{"body": " two", "append": true}); code != "" || r["size"] != 7.0 || content("new.txt") != "one two" {
		t.Errorf("%v %s", r, code)
	}
	if _, code := write("log.txt", object{"body": "1", "append": true}); code != "" || content("log.txt") != "1" {
		t.Errorf("append to a new file: %s", code)
	}
	if _, code := write("no/such/f", object{"body": "x"}); code != "not_found" {
		t.Error(code)
	}
	if _, code := write("no/such/f", object{"body": "x", "parents": true}); code != "" || content("no/such/f") != "x" {
		t.Error(code)
	}
	for _, name := range []string{"sub", ""} {
		if _, code := write(name, object{"body": "x"}); code != "is_a_directory" {
			t.Errorf("%q: %s", name, code)
		}
	}
	if _, code := write("new.txt", object{"body": "x", "body_base64": "eA=="}); code != "invalid_request" {
		t.Error(code)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), ".octopus-") }) {
		t.Errorf("temporary files stay: %v %v", entries, err)
	}
	if _, code, _ := call(t, b, "file.delete", object{"path": filepath.Join(dir, "new.txt")}); code != "" {
		t.Error(code)
	}
	if _, code, _ := call(t, b, "file.delete", object{"path": filepath.Join(dir, "new.txt")}); code != "not_found" {
		t.Error(code)
	}
	if _, code, _ := call(t, b, "file.delete", object{"path": dir}); code != "is_a_directory" {
		t.Error(code)
	}
}

func TestFileList(t *testing.T) {
	t.Parallel()
	files := map[string]string{"sub/x": ""}
	for i := range 25 {
		files[fmt.Sprintf("f%02d", i)] = "abc"
	}
	dir := folder(t, files)
	b := filesIn(t, []string{dir}, []string{dir}, nil)
	var names []string
	for after, more := "", true; more; {
		r, code, message := call(t, b, "file.list", object{"path": dir, "limit": 10, "after": after})
		if code != "" || len(r["entries"].([]any)) > 10 {
			t.Fatalf("%s %s %v", code, message, r)
		}
		for _, e := range r["entries"].([]any) {
			after = e.(object)["name"].(string)
			names = append(names, after)
		}
		more = r["more"].(bool)
	}
	if len(names) != 26 || !slices.IsSorted(names) || names[25] != "sub" {
		t.Errorf("%q", names)
	}
	if _, code, _ := call(t, b, "file.list", object{"path": filepath.Join(dir, "f00")}); code != "not_a_directory" {
		t.Error(code)
	}
	r, code, _ := call(t, b, "file.stat", object{"path": filepath.Join(dir, "f00")})
	if code != "" || r["type"] != "file" || r["size"] != 3.0 || r["name"] != "f00" {
		t.Errorf("%v %s", r, code)
	}
	if r, code, _ = call(t, b, "file.stat", object{"path": dir}); code != "" || r["type"] != "directory" {
		t.Errorf("%v %s", r, code)
	}
	if _, code, _ = call(t, b, "file.stat", object{"path": filepath.Join(dir, "none")}); code != "not_found" {
		t.Error(code)
	}
	if _, code, _ = call(t, b, "file.read", object{"path": dir}); code != "is_a_directory" {
		t.Error(code)
	}
}

// Manifest and grant, and the owner, must both allow it; the refusal says who could.
func TestFileDenied(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"in/a": "x", "other/a": "x", "agent/agent.key": "x"})
	in, other := filepath.Join(dir, "in"), filepath.Join(dir, "other")
	if err := os.Symlink(filepath.Join(dir, "agent"), filepath.Join(in, "way")); err != nil {
		t.Fatal(err)
	}
	own := func(c *Config) { c.Private = filepath.Join(dir, "agent") }
	for name, c := range map[string]struct {
		granted, owner []string
		op, path, want string
		change         func(*Config)
	}{
		"not granted":        {nil, []string{dir}, "file.read", in + "/a", "not granted to http-check", nil},
		"another directory":  {[]string{other}, []string{dir}, "file.read", in + "/a", "not granted", nil},
		"no policy file":     {[]string{dir}, nil, "file.read", in + "/a", "--policy FILE", nil},
		"owner: another":     {[]string{dir}, []string{other}, "file.read", in + "/a", "The owner of this agent", nil},
		"granted ro":         {[]string{dir}, []string{dir + " rw"}, "file.write", in + "/a", "writing", nil},
		"owner ro":           {[]string{dir + " rw"}, []string{dir}, "file.write", in + "/a", "mode rw", nil},
		"delete is a write":  {[]string{dir}, []string{dir}, "file.delete", in + "/a", "not granted", nil},
		"dots":               {[]string{in}, []string{in}, "file.read", in + "/../other/a", "not granted", nil},
		"the agent's own":    {[]string{dir}, []string{dir}, "file.read", dir + "/agent/agent.key", "belongs to the agent", own},
		"by another name":    {[]string{dir}, []string{dir}, "file.read", in + "/way/agent.key", "belongs to the agent", own},
		"a new one in there": {[]string{dir + " rw"}, []string{dir + " rw"}, "file.write", in + "/way/new", "belongs to the agent", own},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, code, message := call(t, filesIn(t, c.granted, c.owner, c.change), c.op, object{"path": c.path, "body": "y"})
			if code != "denied" || !strings.Contains(message, c.want) {
				t.Errorf("%s: %s", code, message)
			}
		})
	}
	b := filesIn(t, []string{in}, []string{dir}, nil)
	for _, bad := range []string{"", "a", "../a", "in/a", in + "/a\x00b", in + "/" + strings.Repeat("x", maxPath)} {
		if _, code, _ := call(t, b, "file.read", object{"path": bad}); code != "invalid_request" {
			t.Errorf("%q: %s", bad, code)
		}
	}
	for field, value := range (object{"offset": -1, "max_bytes": -1, "limit": -1}) {
		if _, code, _ := call(t, b, "file.read", object{"path": in + "/a", field: value}); code != "invalid_request" {
			t.Errorf("%s: %s", field, code)
		}
	}
}

// No link leads out of what is allowed: not in the path, not as the file, not as the granted directory itself.
func TestLinksDoNotLeadOut(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"owned/in/a": "fine", "owned/secret/a": "canary", "outside/a": "canary"})
	owned := filepath.Join(dir, "owned")
	for link, to := range map[string]string{
		"in/file": filepath.Join(dir, "outside", "a"), "in/dir": filepath.Join(dir, "outside"), "in/up": "../../outside",
		"in/near": "a", "swapped": "secret",
	} {
		if err := os.Symlink(to, filepath.Join(owned, link)); err != nil {
			t.Fatal(err)
		}
	}
	b := filesIn(t, []string{owned + "/in rw", owned + "/swapped rw"}, []string{owned + " rw"}, nil)
	if r, code, message := call(t, b, "file.read", object{"path": owned + "/in/near"}); r["body"] != "fine" {
		t.Errorf("a link that stays within: %s %s", code, message)
	}
	for _, path := range []string{"/in/file", "/in/dir/a", "/in/up/a", "/swapped/a"} {
		for op, want := range map[string]string{"file.read": "denied", "file.stat": "denied", "file.list": "denied", "file.write": ""} {
			r, code, message := call(t, b, op, object{"path": owned + path, "body": "written", "parents": true})
			if code != want && !(want == "" && (code == "denied" || code == "not_a_file")) {
				t.Errorf("%s %s: %s %s %v", op, path, code, message, r)
			}
		}
	}
	for _, canary := range []string{"owned/secret/a", "outside/a"} {
		if raw, err := os.ReadFile(filepath.Join(dir, canary)); string(raw) != "canary" {
			t.Errorf("%s holds %q, %v", canary, raw, err)
		}
	}
}

// Somebody renames directories and links to the outside to and fro, while files are read and written: nothing that is
// outside is ever read or changed.
func TestConcurrentRenamer(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"owned/in/d/a": "fine", "outside/a": "canary", "outside/d/a": "canary"})
	in := filepath.Join(dir, "owned", "in")
	for _, link := range []string{in + "/link", in + ".link"} {
		if err := os.Symlink(filepath.Join(dir, "outside"), link); err != nil {
			t.Fatal(err)
		}
	}
	stop := make(chan struct{})
	var renamer sync.WaitGroup
	renamer.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			// d is now the directory, now the link; the granted directory itself is exchanged too.
			for _, step := range [][2]string{
				{in + "/d", in + "/real"}, {in + "/link", in + "/d"}, {in + "/d", in + "/link"}, {in + "/real", in + "/d"},
				{in, in + ".real"}, {in + ".link", in}, {in, in + ".link"}, {in + ".real", in},
			} {
				_ = os.Rename(step[0], step[1]) // it fails where the broker made the name anew
			}
		}
	})
	b := filesIn(t, []string{in + " rw"}, []string{filepath.Join(dir, "owned") + " rw"}, nil)
	seen := map[string]int{}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		b.rates, b.written = map[string]*rated{}, 0
		for _, op := range []string{"file.write", "file.read", "file.list", "file.delete"} {
			r, code, _ := call(t, b, op, object{"path": in + "/d/a", "body": "fine"})
			if code == "" && op == "file.read" && r["body"] != "fine" {
				t.Fatalf("read %v", r)
			}
			seen[op+" "+code]++
		}
		if seen["file.read denied"] > 3 && seen["file.write denied"] > 3 && seen["file.read "] > 3 && seen["file.write "] > 100 {
			break // the link was in the way, and so was the directory
		}
	}
	close(stop)
	renamer.Wait()
	for _, canary := range []string{"outside/a", "outside/d/a"} {
		if raw, err := os.ReadFile(filepath.Join(dir, canary)); string(raw) != "canary" || err != nil {
			t.Errorf("%s holds %q, %v", canary, raw, err)
		}
	}
	if seen["file.read denied"] == 0 {
		t.Errorf("nobody was in the way: %v", seen)
	}
}

// A pipe, a socket or a device is not opened: that could wait for ever.
func TestOnlyRegularFiles(t *testing.T) {
	t.Parallel()
	dir := folder(t, nil)
	pipe(t, filepath.Join(dir, "pipe"))
	b := filesIn(t, []string{dir + " rw", "/dev"}, []string{dir + " rw", "/dev"}, nil)
	for _, path := range []string{dir + "/pipe", "/dev/zero", "/dev/tty"} {
		if _, err := os.Lstat(path); err != nil {
			continue
		}
		for _, op := range []string{"file.read", "file.write", "file.delete"} {
			_, code, message := call(t, b, op, object{"path": path, "body": "x", "append": true})
			if code != "not_a_file" && !(code == "denied" && op != "file.read" && path != dir+"/pipe") {
				t.Errorf("%s %s: %s %s", op, path, code, message)
			}
		}
	}
	if r, code, _ := call(t, b, "file.stat", object{"path": dir + "/pipe"}); code != "" || r["type"] != "other" {
		t.Errorf("%v %s", r, code)
	}
}

func TestFileQuota(t *testing.T) {
	t.Parallel()
	dir := folder(t, nil)
	b := filesIn(t, []string{dir + " rw"}, []string{dir + " rw"}, nil)
	b.written = writeMost - 3
	if _, code, _ := call(t, b, "file.write", object{"path": dir + "/a", "body": "1234"}); code != "quota" {
		t.Error(code)
	}
	if _, code, _ := call(t, b, "file.write", object{"path": dir + "/a", "body": "123"}); code != "" {
		t.Error(code)
	}
	if err := os.Truncate(filepath.Join(dir, "a"), fileMost); err != nil {
		t.Skip("this file system has no sparse files")
	}
	b.written = 0
	if _, code, _ := call(t, b, "file.write", object{"path": dir + "/a", "body": "1", "append": true}); code != "too_large" {
		t.Error(code)
	}
}

func TestFileDryRun(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"a": "old"})
	var seen []Record
	b := filesIn(t, []string{dir + " rw"}, []string{dir + " rw"}, func(c *Config) {
		c.DryRun, c.OnCall = true, func(r Record) { seen = append(seen, r) }
	})
	for _, op := range []string{"file.write", "file.delete"} {
		if _, code, _ := call(t, b, op, object{"path": dir + "/a", "body": "new"}); code != "" {
			t.Errorf("%s: %s", op, code)
		}
	}
	if _, code, _ := call(t, b, "file.write", object{"path": "/elsewhere", "body": "new"}); code != "denied" {
		t.Errorf("a dry run says what a real one would: %s", code)
	}
	if raw, _ := os.ReadFile(filepath.Join(dir, "a")); string(raw) != "old" || len(seen) != 3 || !seen[0].DryRun || seen[0].Target != dir+"/a" ||
		seen[0].Intent != "write 3 bytes to "+dir+"/a" || seen[1].Intent != "delete "+dir+"/a" || seen[2].Intent != "" {
		t.Errorf("%q, %+v", raw, seen)
	}
}

// Whatever the path, nothing outside is reached.
func FuzzPath(f *testing.F) {
	for _, path := range []string{"/in/a", "/in/../out/a", "/in/./d//a", "/in/link/a", "/in/a\x00", "/in/d/../../out/a", "/in/..", "//in///link/../a"} {
		f.Add(path)
	}
	dir, err := filepath.EvalSymlinks(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{"in/d/a", "in/a", "out/a"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			f.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.SplitN(name, "/", 2)[0]), 0o644); err != nil {
			f.Fatal(err)
		}
	}
	if err := os.Symlink("../out", filepath.Join(dir, "in", "link")); err != nil {
		f.Fatal(err)
	}
	in := spec.File{Path: filepath.Join(dir, "in"), Mode: "rw"}
	f.Fuzz(func(t *testing.T, path string) {
		b := New(Config{Grant: spec.Capabilities{Files: []spec.File{in}}, Policy: policy.Open([]spec.File{in}, nil)})
		for _, op := range []string{"file.read", "file.list", "file.stat", "file.write", "file.delete"} {
			reply, code, _ := call(t, b, op, object{"path": dir + path, "body": "in"})
			if body, _ := reply["body"].(string); code == "" && op == "file.read" && body != "in" {
				t.Errorf("%q read %v", path, reply)
			}
		}
		if raw, err := os.ReadFile(filepath.Join(dir, "out", "a")); string(raw) != "out" || err != nil {
			t.Fatalf("%q made of what is outside %q, %v", path, raw, err)
		}
		if list, err := os.ReadDir(filepath.Join(dir, "out")); len(list) != 1 || err != nil {
			t.Fatalf("%q left outside %v, %v", path, list, err)
		}
		_ = os.Symlink("../out", filepath.Join(dir, "in", "link")) // it may have been deleted
	})
}
