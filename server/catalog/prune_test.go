package catalog_test

import (
	"fmt"
	"testing"

	"octopus/internal/octopus"
	"octopus/server/store/storetest"
)

// TestReplacedBuildsAreDropped: of builds that another one replaced the latest stays, and those that somebody may
// still ask for.
func TestReplacedBuildsAreDropped(t *testing.T) {
	t.Parallel()
	_, s := open(t)
	build := func(n int) octopus.PluginVersion {
		c := restart(t, s, true, shipped(t, "web", pack(t, "web", "1.0.0", httpAnywhere, fmt.Sprintf("build %d", n))))
		return latest(t, c, "web")
	}
	old, pinned := build(1), build(2)
	task := octopus.Task{ID: octopus.NewID(octopus.PrefixTask, s.Now()), Name: "pins", Type: octopus.TaskAdhoc,
		Work: octopus.Work{Plugin: "web", Version: pinned.Version, Action: "run"}}
	if _, _, err := s.CreateTask(t.Context(), task, nil); err != nil {
		t.Fatal(err)
	}
	ran := build(3)
	run := storetest.NewRun(s, 1, nil)
	run.Executions[0].Plugin, run.Executions[0].Digest = "web", ran.Digest
	if _, _, err := s.CreateRun(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	revoked := build(4)
	if err := s.DeleteGrant(t.Context(), revoked.Digest); err != nil {
		t.Fatal(err)
	}
	before, now := build(5), build(6)
	for _, tc := range []struct {
		name  string
		v     octopus.PluginVersion
		stays bool
	}{
		{"an old build", old, false}, {"one that a task names", pinned, true}, {"one that ran", ran, true},
		{"one whose grant was taken away", revoked, true}, {"the one before", before, true}, {"the present one", now, true},
	} {
		_, versionErr := s.VersionByDigest(t.Context(), tc.v.Digest)
		_, moduleErr := s.Module(t.Context(), tc.v.Digest)
		if stays := versionErr == nil && moduleErr == nil; stays != tc.stays || (versionErr == nil) != (moduleErr == nil) {
			t.Errorf("%s stays: %v (%v, %v)", tc.name, stays, versionErr, moduleErr)
		}
	}
	if err := s.DeleteTask(t.Context(), task.ID, 0); err != nil {
		t.Fatal(err)
	}
	if again := build(6); again.Digest != now.Digest {
		t.Errorf("another build: %s", again.Version)
	}
	if _, err := s.VersionByDigest(t.Context(), pinned.Digest); octopus.CodeOf(err) != octopus.CodeNotFound {
		t.Errorf("a build that nobody names any more: %v", err)
	}
	if back := build(1); back.Digest != old.Digest || back.Status != octopus.VersionPublished {
		t.Errorf("a step back to a build that was dropped: %+v", back)
	}
}
