package server

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/go-chi/chi/v5"
)

// executableName is what "make dist" calls its builds.
var executableName = regexp.MustCompile(`^octopus-(linux|darwin|windows)-(amd64|arm64)(\.exe)?$`)

// dist serves executables to machines that join: this server's own, and those in a folder.
type dist struct {
	folder string
	own    string // path of this executable

	mu   sync.Mutex
	sums map[string]sum // by path; guarded by mu
}

// sum is a digest, with what tells that the file has changed since.
type sum struct {
	size    int64
	modTime int64
	sha256  string
}

func newDist(folder string) (*dist, error) {
	own, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("own executable: %w", err)
	}
	return &dist{
		folder: cmp.Or(folder, filepath.Join(filepath.Dir(own), "dist")),
		own:    own,
		sums:   make(map[string]sum),
	}, nil
}

func (d *dist) routes() http.Handler {
	r := chi.NewRouter()
	r.Get("/SHA256SUMS", d.serveSums)
	r.Get("/{name}", d.serveExecutable)
	return r
}

// ownName is the name of this server's own build.
func ownName() string {
	name := "octopus-" + runtime.GOOS + "-" + runtime.GOARCH
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return name
}

// available maps the names of the executables that can be had to their paths. A build in the folder wins.
func (d *dist) available() map[string]string {
	found := map[string]string{ownName(): d.own}
	entries, _ := os.ReadDir(d.folder) // no folder: nothing was cross-built
	for _, e := range entries {
		if executableName.MatchString(e.Name()) && e.Type().IsRegular() {
			found[e.Name()] = filepath.Join(d.folder, e.Name())
		}
	}
	return found
}

func (d *dist) serveExecutable(w http.ResponseWriter, r *http.Request) {
	name, wantSum := strings.CutSuffix(chi.URLParam(r, "name"), ".sha256")
	path, ok := d.available()[name]
	if !ok {
		http.Error(w, notBuilt(name, d.available()), http.StatusNotFound)
		return
	}
	digest, err := d.digest(path)
	if err != nil {
		http.Error(w, "The executable cannot be read on the server. Run make dist there again.", http.StatusInternalServerError)
		return
	}
	if wantSum {
		fmt.Fprintf(w, "%s  %s\n", digest, name)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", `"`+digest+`"`)
	w.Header().Set("Octopus-SHA256", digest)
	http.ServeFile(w, r, path)
}

func notBuilt(name string, available map[string]string) string {
	names := make([]string, 0, len(available))
	for n := range available {
		names = append(names, n)
	}
	slices.Sort(names)
	return fmt.Sprintf("There is no %q here. This server has %s; run make dist beside it to build the others.",
		name, strings.Join(names, ", "))
}

func (d *dist) serveSums(w http.ResponseWriter, _ *http.Request) {
	available := d.available()
	names := make([]string, 0, len(available))
	for name := range available {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if digest, err := d.digest(available[name]); err == nil {
			fmt.Fprintf(w, "%s  %s\n", digest, name)
		}
	}
}

// digest returns the SHA-256 of a file, read again only when its size or time changed.
func (d *dist) digest(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if s, ok := d.sums[path]; ok && s.size == info.Size() && s.modTime == info.ModTime().UnixNano() {
		return s.sha256, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	s := sum{size: info.Size(), modTime: info.ModTime().UnixNano(), sha256: hex.EncodeToString(h.Sum(nil))}
	d.sums[path] = s
	return s.sha256, nil
}

// installer serves an install script, made for this server's URL.
func installer(script func(url string) []byte, url string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.Write(script(url))
	}
}
