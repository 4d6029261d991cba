package broker

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
)

// body is what is to be written: text, or base64 of anything.
func (r fileRequest) body() ([]byte, *Error) {
	if r.BodyBase64 == "" {
		return []byte(r.Body), nil
	}
	raw, err := base64.StdEncoding.DecodeString(r.BodyBase64)
	if err != nil || r.Body != "" {
		return nil, invalid("body_base64", "it must be standard base64, and there must not be a body beside it.")
	}
	return raw, nil
}

type writeReply struct {
	Bytes int   `json:"bytes"`
	Size  int64 `json:"size"` // of the file afterwards
}

// writeFile replaces a file as a whole, or appends to it.
func (b *Broker) writeFile(p place, r fileRequest) (any, *Error) {
	raw, failure := r.body()
	if failure != nil {
		return nil, failure
	}
	old, failure := p.target()
	if failure != nil {
		return nil, failure
	}
	reply := writeReply{Bytes: len(raw), Size: int64(len(raw))}
	if r.Append && old != nil {
		reply.Size += old.Size()
	}
	if reply.Size > fileMost {
		return nil, errorf("too_large", "%s would have more than %d MiB.", p.path, fileMost>>20)
	}
	if b.written+int64(len(raw)) > writeMost {
		return nil, errorf("quota", "An execution may write %d MiB to files, and these are used up.", writeMost>>20)
	}
	b.written += int64(len(raw))
	if b.config.DryRun {
		return reply, nil
	}
	if r.Append && old != nil {
		failure = p.appendTo(raw)
	} else {
		failure = p.replace(raw, old, r.Parents)
	}
	if failure != nil {
		return nil, failure
	}
	return reply, nil
}

// target is what is there already under the name, nil for nothing. Only a regular file can be written.
func (p place) target() (fs.FileInfo, *Error) {
	if p.rel == "." {
		return nil, errorf("is_a_directory", "%s is a directory.", p.path)
	}
	info, err := p.root.Lstat(p.rel)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fileError(p.path, err)
	case !info.Mode().IsRegular():
		return nil, notRegular(p.path, info)
	}
	return info, nil
}

// replace writes beside the file and renames: who reads it sees the old or the new one. The new one has the old one's
// permissions.
func (p place) replace(raw []byte, old fs.FileInfo, parents bool) *Error {
	dir, name, failure := p.parent(parents)
	if failure != nil {
		return failure
	}
	defer dir.Close()
	temp := ".octopus-" + rand.Text()
	err := writeNew(dir, temp, raw, old)
	if err == nil {
		err = dir.Rename(temp, name)
	}
	if err != nil {
		_ = dir.Remove(temp)
		return fileError(p.path, err)
	}
	if f, err := dir.Open("."); err == nil {
		_ = f.Sync() // a crash may bring the old file back; Windows and some file systems cannot do it
		f.Close()
	}
	return nil
}

func writeNew(dir *os.Root, name string, raw []byte, old fs.FileInfo) error {
	f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err == nil && old != nil {
		err = f.Chmod(old.Mode().Perm())
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (p place) appendTo(raw []byte) *Error {
	f, _, failure := p.open(os.O_WRONLY | os.O_APPEND)
	if failure != nil {
		return failure
	}
	_, err := f.Write(raw)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fileError(p.path, err)
	}
	return nil
}

// deleteFile removes a regular file, a symbolic link, or an empty directory.
func (b *Broker) deleteFile(p place) (any, *Error) {
	dir, name, failure := p.parent(false)
	if failure != nil {
		return nil, failure
	}
	defer dir.Close()
	info, err := dir.Lstat(name)
	if err != nil {
		return nil, fileError(p.path, err)
	}
	if mode := info.Mode(); !mode.IsRegular() && !mode.IsDir() && mode&fs.ModeSymlink == 0 {
		return nil, notRegular(p.path, info)
	}
	if b.config.DryRun {
		return struct{}{}, nil
	}
	if err := dir.Remove(name); err != nil {
		return nil, fileError(p.path, err)
	}
	return struct{}{}, nil
}
