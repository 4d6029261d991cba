package agent

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"octopus/internal/disk"
	"octopus/internal/octopus"
)

// Names in the data folder.
const (
	fileLock     = "lock"
	fileKey      = "agent.key"
	fileNewKey   = "agent.key.new" // a key whose enrolment was not yet answered
	fileIdentity = "agent.json"
	fileStatus   = "status.json"
	fileJournal  = "journal"
	dirSpool     = "spool"
	dirModules   = "cache/modules"
	dirSandbox   = "cache/sandbox"
	dirFiles     = "files"
)

// identity is who the agent is, as agent.json keeps it.
type identity struct {
	Agent     string `json:"agent"`
	Name      string `json:"name"`
	Server    string `json:"server"`
	ServerKey []byte `json:"server_key,omitempty"` // signs plugins; pinned at enrolment

	// ServerKeys are the keys that are pinned once the agent has asked for them; they take the place of ServerKey.
	ServerKeys []ed25519.PublicKey `json:"server_keys,omitempty"`

	key ed25519.PrivateKey
}

// folder is the agent's data folder. Names inside it go through root, so that none can lead out of it.
type folder struct {
	path string
	root *os.Root
	lock *flock.Flock
}

// openFolder makes and locks the data folder. Two agents never share one.
func openFolder(path string) (*folder, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, octopus.Errorf(octopus.CodeInvalid, "The data folder %s cannot be made: %v. Pass another one with --data.", path, bare(err))
	}
	lock := flock.New(filepath.Join(path, fileLock), flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, octopus.Errorf(octopus.CodeInvalid, "The data folder %s cannot be locked: %v.", path, bare(err))
	}
	if !ok {
		return nil, octopus.Errorf(octopus.CodeConflict, "An agent already runs with the data folder %s. Stop it first, or pass another folder with --data.", path)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		lock.Unlock()
		return nil, fmt.Errorf("data folder: %w", err)
	}
	f := &folder{path: path, root: root, lock: lock}
	for _, dir := range []string{dirSpool, dirModules, dirSandbox, dirFiles} {
		if err := root.MkdirAll(dir, 0o700); err != nil {
			f.close()
			return nil, octopus.Errorf(octopus.CodeInvalid, "The data folder %s cannot be written: %v.", path, bare(err))
		}
	}
	return f, nil
}

func (f *folder) close() {
	f.root.Close()
	f.lock.Unlock()
}

// sub opens a folder inside the data folder as a root of its own.
func (f *folder) sub(dir string) (*os.Root, error) {
	root, err := f.root.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	return root, nil
}

// identity reads who the agent is; ok is false while it has not enrolled.
func (f *folder) identity() (id identity, ok bool, err error) {
	raw, err := f.root.ReadFile(fileIdentity)
	if errors.Is(err, fs.ErrNotExist) {
		return identity{}, false, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &id)
	}
	if err == nil {
		id.key, err = f.readKey(fileKey)
	}
	if err != nil {
		return identity{}, false, octopus.Errorf(octopus.CodeInvalid,
			"The identity in %s cannot be read: %v. Restore it, or remove %s and %s and enrol again with a new join token.", f.path, bare(err), fileIdentity, fileKey)
	}
	return id, true, nil
}

// newKey returns the key to enrol with. It is on the disk before the server hears of it, so that a crash in
// between enrols the same agent again.
func (f *folder) newKey() (ed25519.PrivateKey, error) {
	key, err := f.readKey(fileNewKey)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = f.readKey(fileKey) // the server answered, and a crash came before agent.json was written
	}
	if err == nil {
		return key, nil
	}
	_, key, err = ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return key, f.write(fileNewKey, []byte(hex.EncodeToString(key.Seed())+"\n"))
}

func (f *folder) readKey(name string) (ed25519.PrivateKey, error) {
	raw, err := f.root.ReadFile(name)
	if err != nil {
		return nil, err
	}
	seed := make([]byte, ed25519.SeedSize)
	if len(raw) < 2*len(seed) {
		return nil, fmt.Errorf("%s is too short", name)
	}
	if _, err := hex.Decode(seed, raw[:2*len(seed)]); err != nil {
		return nil, fmt.Errorf("%s is damaged", name)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// saveIdentity makes an enrolment final.
func (f *folder) saveIdentity(id identity) error {
	raw, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return fmt.Errorf("encode identity: %w", err)
	}
	if err := f.root.Rename(fileNewKey, fileKey); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("save key: %w", err)
	}
	return f.write(fileIdentity, append(raw, '\n'))
}

// write puts a whole file in place, or leaves the old one.
func (f *folder) write(name string, data []byte) error {
	temp := name + ".tmp"
	folder := disk.Root(f.root)
	if err := disk.WriteFile(folder, temp, data); err != nil {
		return fmt.Errorf("write %s: %w", name, bare(err))
	}
	if err := folder.Rename(temp, name); err != nil {
		return fmt.Errorf("write %s: %w", name, bare(err))
	}
	if err := folder.SyncDir("."); err != nil {
		return fmt.Errorf("write %s: %w", name, bare(err))
	}
	return nil
}

// bare is an error without the operation and path that os puts before it.
func bare(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// peekFolder opens a data folder to read it only, whoever holds its lock.
func peekFolder(path string) (*folder, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	return &folder{path: path, root: root}, nil
}
