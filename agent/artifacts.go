package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"octopus/agent/core"
	"octopus/agent/redact"
	"octopus/internal/disk"
	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// dirArtifacts is where files wait that executions hand over, until these have ended.
const dirArtifacts = "artifacts"

// openArtifacts makes the folder of artifacts, empty: an execution that an agent left behind when it crashed has no
// result for them to go with.
func (a *Agent) openArtifacts() error {
	if err := disk.RemoveAll(disk.Root(a.folder.root), dirArtifacts); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if err := a.folder.root.MkdirAll(dirArtifacts, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	return nil
}

// artifacts are the files that one execution hands over. They wait on the disk, without the secrets that it received.
// It belongs to the goroutine of the execution's worker.
type artifacts struct {
	root   *os.Root // the agent's data folder
	dir    string   // in root; made with the first file
	hidden *redact.Redactor
	list   []wire.Artifact // without data
}

func (a *Agent) artifactsOf(j *job) *artifacts {
	dir := dirArtifacts + "/" + j.key.Execution + "." + strconv.FormatInt(j.key.Fence, 10)
	return &artifacts{root: a.folder.root, dir: dir, hidden: &j.hidden}
}

// Put is for the broker.
func (f *artifacts) Put(name, mediaType string, body []byte) error {
	i := f.find(name)
	if i < 0 {
		if err := f.root.MkdirAll(f.dir, 0o700); err != nil {
			return err
		}
		i = len(f.list)
		f.list = append(f.list, wire.Artifact{Name: name})
	}
	f.list[i].MediaType = mediaType
	return f.write(i, os.O_TRUNC, body)
}

// Append is for the broker.
func (f *artifacts) Append(name string, body []byte) error {
	return f.write(f.find(name), os.O_APPEND, body)
}

func (f *artifacts) find(name string) int {
	return slices.IndexFunc(f.list, func(a wire.Artifact) bool { return a.Name == name })
}

func (f *artifacts) path(i int) string { return f.dir + "/" + strconv.Itoa(i) }

func (f *artifacts) write(i, flag int, body []byte) error {
	file, err := f.root.OpenFile(f.path(i), os.O_WRONLY|os.O_CREATE|flag, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(f.hidden.Bytes(body))
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

// bundle reads all files. Each is looked through once more as a whole: a secret may have come in two pieces.
func (f *artifacts) bundle(most int64) ([]byte, error) {
	total := int64(0)
	for i := range f.list {
		raw, err := f.root.ReadFile(f.path(i))
		if err != nil {
			return nil, fmt.Errorf("read artifact: %w", bare(err))
		}
		f.list[i].Data = f.hidden.Bytes(raw)
		f.list[i].Name = f.hidden.Text(f.list[i].Name)
		if total += int64(len(f.list[i].Data)); total > most {
			return nil, octopus.Errorf(octopus.CodeTooLarge, "With the names of secrets in place of their values they take more than %d MiB.", most>>20)
		}
	}
	return wire.EncodeArtifacts(f.list)
}

func (f *artifacts) remove() { _ = disk.RemoveAll(disk.Root(f.root), f.dir) }

// leave puts the files of an execution beside its result, to be uploaded. What fails is told with the result.
func (a *Agent) leave(j *job, r *wire.Result) {
	if j.left == nil || len(j.left.list) == 0 {
		return
	}
	defer j.left.remove()
	raw, err := j.left.bundle(min(j.offer.ArtifactBytes, wire.MaxArtifactBytes))
	if err == nil {
		err = a.blobs.write(j.key, suffixArtifacts, raw)
	}
	if err != nil {
		r.ArtifactsLost = fmt.Sprintf("The agent could not keep them: %s", bare(err))
		return
	}
	sum := sha256.Sum256(raw)
	r.ArtifactsSHA256 = hex.EncodeToString(sum[:])
}

// Kinds of files in the spool that go to the server before a result.
const (
	suffixBlob      = ".blob"
	suffixArtifacts = ".artifacts"
)

// blobs are large results, and the files that executions left, on disk until the server has them. Most executions
// have none: which names there are is remembered, so that to forget an execution asks the disk for nothing.
type blobs struct {
	folder disk.Folder // static

	mu    sync.Mutex
	names map[string]struct{} // guarded by mu; of files that may be there
}

// openBlobs finds what an earlier process left.
func openBlobs(folder disk.Folder) (*blobs, error) {
	list, err := folder.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("open results to upload: %w", err)
	}
	b := &blobs{folder: folder, names: make(map[string]struct{})}
	for _, entry := range list {
		if name := entry.Name(); strings.HasSuffix(name, suffixBlob) || strings.HasSuffix(name, suffixArtifacts) {
			b.names[name] = struct{}{}
		}
	}
	return b, nil
}

func (b *blobs) name(key core.Key, suffix string) string {
	return key.Execution + "." + strconv.FormatInt(key.Fence, 10) + suffix
}

// write returns once the bytes are on the disk: the journal is about to name them.
func (b *blobs) write(key core.Key, suffix string, raw []byte) error {
	name := b.name(key, suffix)
	b.mu.Lock()
	b.names[name] = struct{}{}
	b.mu.Unlock()
	if err := disk.WriteFile(b.folder, name, raw); err != nil {
		return err
	}
	return b.folder.SyncDir(".")
}

func (b *blobs) read(key core.Key, suffix string) ([]byte, error) {
	return disk.ReadFile(b.folder, b.name(key, suffix))
}

func (b *blobs) remove(key core.Key) {
	for _, suffix := range []string{suffixBlob, suffixArtifacts} {
		name := b.name(key, suffix)
		b.mu.Lock()
		_, there := b.names[name]
		delete(b.names, name)
		b.mu.Unlock()
		if there {
			_ = b.folder.Remove(name)
		}
	}
}
