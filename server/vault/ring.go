package vault

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"octopus/internal/disk"
	"octopus/internal/octopus"
)

// ring is the keys of the key file. A key that it does not know makes it read the file again: somebody may have
// put it there.
type ring struct {
	path string // static

	mu   sync.Mutex
	keys []key // guarded by mu; as in the file, the newest last
}

const ringHead = `# The keys that seal the secrets and the users' parameters of an Octopus server, the newest last.
# Whoever has this file and the database can read them; who has lost it cannot. Keep a copy, away from the backups.
`

// get finds a key.
func (r *ring) get(id string) (key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k, ok := r.find(id); ok {
		return k, nil
	}
	if err := r.read(); err != nil {
		return key{}, err
	}
	if k, ok := r.find(id); ok {
		return k, nil
	}
	return key{}, octopus.Errorf(octopus.CodeUnavailable,
		"The secrets in the database are sealed with %s, and the key file %s does not hold it. Put the file of the server that sealed them there, or name it with --secrets-key-file. Where it is lost: octopus secrets rotate-key --forget removes them.",
		id, r.path)
}

func (r *ring) find(id string) (key, bool) {
	for _, k := range r.keys {
		if k.id == id {
			return k, true
		}
	}
	return key{}, false
}

// first returns the newest key of the file, and makes one where there is none.
func (r *ring) first() (key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.read(); err != nil {
		return key{}, err
	}
	if len(r.keys) == 0 {
		return r.add()
	}
	return r.keys[len(r.keys)-1], nil
}

// next makes one more key.
func (r *ring) next() (key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.read(); err != nil {
		return key{}, err
	}
	return r.add()
}

// add makes a key and has it on the disk. r.mu is held, and the file was read.
func (r *ring) add() (key, error) {
	k := newKey()
	keys := append(r.keys[:len(r.keys):len(r.keys)], k)
	if err := r.write(keys); err != nil {
		return key{}, octopus.Errorf(octopus.CodeUnavailable, "The key file of the secrets cannot be written: %v.", err)
	}
	r.keys = keys
	return k, nil
}

// read takes what the file holds; none is an empty ring.
func (r *ring) read() error {
	raw, err := os.ReadFile(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		r.keys = nil
		return nil
	}
	if err != nil {
		return octopus.Errorf(octopus.CodeUnavailable, "The key file of the secrets cannot be read: %v.", err)
	}
	keys, err := parseRing(raw)
	if err != nil {
		return octopus.Errorf(octopus.CodeUnavailable, "The key file %s is damaged: %v. Restore it from a copy.", r.path, err)
	}
	r.keys = keys
	return nil
}

// parseRing reads lines of an id and a key in base64. The id must be the key's own: so a torn or mistyped line is seen.
func parseRing(raw []byte) (keys []key, err error) {
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		id, text, _ := strings.Cut(line, " ")
		secret, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err != nil || len(secret) != keySize {
			return nil, fmt.Errorf("line %d is not an id and a key of %d bytes in base64", n, keySize)
		}
		k := keyOf(secret)
		if k.id != id {
			return nil, fmt.Errorf("the key in line %d is not %s", n, id)
		}
		keys = append(keys, k)
	}
	return keys, lines.Err()
}

// write replaces the file, durably, readable by its owner only.
func (r *ring) write(keys []key) error {
	var b bytes.Buffer
	b.WriteString(ringHead)
	for _, k := range keys {
		fmt.Fprintf(&b, "%s %s\n", k.id, base64.StdEncoding.EncodeToString(k.raw))
	}
	if err := os.MkdirAll(filepath.Dir(r.path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(r.path), filepath.Base(r.path)+".*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b.Bytes())
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), r.path); err != nil {
		return err
	}
	return disk.SyncDir(filepath.Dir(r.path))
}
