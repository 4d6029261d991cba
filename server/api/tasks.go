package api

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/server/auth"
	"octopus/server/dispatch"
	"octopus/server/store"
)

// TaskID is the path of one task.
type TaskID struct {
	ID string `path:"id" maxLength:"128" doc:"Id or name."`
}

// Conditional carries If-Match.
type Conditional struct {
	IfMatch string `header:"If-Match" maxLength:"64" doc:"The ETag that was read: refused with 412 when the task was changed since."`
}

// revision reads the ETag; 0 for any.
func (c Conditional) revision() (int64, error) {
	tag := strings.TrimSpace(c.IfMatch)
	if tag == "" || tag == "*" {
		return 0, nil
	}
	n, err := strconv.ParseInt(strings.Trim(strings.TrimPrefix(tag, "W/"), `"`), 10, 64)
	if err != nil || n < 1 {
		return 0, &octopus.Error{Code: octopus.CodeMalformed, Message: `If-Match must be the ETag of the task, such as "3".`,
			Fields: []octopus.FieldError{{Field: "If-Match", Message: "must be an ETag of the task"}}}
	}
	return n, nil
}

func etag(revision int64) string { return `"` + strconv.FormatInt(revision, 10) + `"` }

// toTask masks the parameters by the version that the task would run now.
func (a *API) toTask(ctx context.Context, t octopus.Task) sdk.Task {
	out := sdk.Task{
		ID: t.ID, Name: t.Name, Description: t.Description, Folder: t.Folder, Labels: t.Labels, Type: string(t.Type),
		Work: toWork(t.Work), Enabled: t.Enabled, Revision: t.Revision, Owner: t.Owner,
		CreatedAt: utc(t.CreatedAt), CreatedBy: t.CreatedBy, UpdatedAt: utc(t.UpdatedAt), UpdatedBy: t.UpdatedBy,
		DeletedAt: utc(t.DeletedAt),
	}
	out.Params = a.maskWork(ctx, t.Work)
	if r := t.LastRun; r != nil {
		out.LastRun = &sdk.TaskRun{
			ID: r.ID, Status: string(r.Status()), Outcome: string(r.Counts.Outcome()),
			CreatedAt: utc(r.CreatedAt), FinishedAt: utc(r.FinishedAt),
		}
	}
	return out
}

// maskWork hides the secrets of a task's parameters. When its plugin is gone, nothing tells which they are.
func (a *API) maskWork(ctx context.Context, w octopus.Work) json.RawMessage {
	digest, err := a.digest(ctx, w)
	if err != nil {
		return nil
	}
	return a.catalog.Mask(ctx, digest, w.Action, w.Params)
}

// digest names the version whose schema describes w: the one that would run now, else the newest there is.
func (a *API) digest(ctx context.Context, w octopus.Work) (string, error) {
	if v, err := a.catalog.Resolve(ctx, w.Plugin, w.Version); err == nil {
		return v.Digest, nil
	}
	p, err := a.store.Plugin(ctx, w.Plugin)
	if err != nil {
		return "", err
	}
	if len(p.Versions) == 0 {
		return "", octopus.Errorf(octopus.CodeNotFound, "%s has no versions.", w.Plugin)
	}
	return p.Versions[0].Digest, nil
}

type listTasksInput struct {
	Paged
	ByName
	Text     string `query:"q" maxLength:"256" doc:"Part of name, description, folder or plugin."`
	Folder   string `query:"folder" maxLength:"256" doc:"Only those in this folder."`
	Plugin   string `query:"plugin" maxLength:"64" doc:"Name of the plugin."`
	Selector string `query:"selector" maxLength:"2048" doc:"Over the task's labels."`
	Enabled  string `query:"enabled" enum:"true,false" doc:"Only those that may run, or only those that may not."`
	Deleted  bool   `query:"deleted" doc:"Only tasks that were deleted, and can be restored."`
}

func (a *API) listTasks(ctx context.Context, in *listTasksInput) (*list[sdk.Task], error) {
	f := store.TaskFilter{Text: in.Text, Folder: in.Folder, Plugin: in.Plugin, Selector: in.Selector, Deleted: in.Deleted}
	if in.Enabled != "" {
		enabled := in.Enabled == "true"
		f.Enabled = &enabled
	}
	if err := checkSelector(in.Selector); err != nil {
		return nil, err
	}
	p := in.page()
	p.Descending = descending(in.Sort)
	tasks, next, err := a.store.Tasks(ctx, f, p)
	if err != nil {
		return nil, err
	}
	return page(tasks, next, func(t octopus.Task) sdk.Task { return a.toTask(ctx, t) }), nil
}

type createTaskInput struct {
	Keyed
	Body sdk.NewTask
}

func (a *API) createTask(ctx context.Context, in *createTaskInput) (*created[sdk.Task], error) {
	key, err := in.idempotency(ctx, "POST /tasks")
	if err != nil {
		return nil, err
	}
	if err := checkTarget(in.Body.Target); err != nil {
		return nil, err
	}
	caller, _ := auth.FromContext(ctx)
	now, b := a.now(), in.Body
	t := octopus.Task{
		ID: octopus.NewID(octopus.PrefixTask, now), Name: strings.TrimSpace(b.Name), Description: b.Description, Folder: b.Folder,
		Labels: b.Labels, Type: octopus.TaskAdhoc, Work: fromWork(b.Work), Enabled: b.Enabled == nil || *b.Enabled,
		Owner: caller.Username, CreatedAt: now, CreatedBy: caller.Username, UpdatedAt: now, UpdatedBy: caller.Username,
	}
	if err := a.checkTask(ctx, &t); err != nil {
		return nil, err
	}
	if err := a.checkAllowed(ctx, t.Work); err != nil {
		return nil, err
	}
	t, replay, err := a.store.CreateTask(ctx, t, key)
	if err != nil {
		return nil, err
	}
	out := made(Prefix+"/tasks/"+t.ID, replay, a.toTask(ctx, t))
	out.ETag = etag(t.Revision)
	return out, nil
}

// checkTask refuses what could never run: an unknown plugin or action, parameters that do not fit, a bad target.
func (a *API) checkTask(ctx context.Context, t *octopus.Task) error {
	if err := octopus.CheckTaskName(t.Name); err != nil {
		return err
	}
	if err := octopus.CheckLabels(t.Labels); err != nil {
		return err
	}
	if t.Target.Mode == octopus.TargetAgent && t.Target.Agent == "" {
		return octopus.InvalidField("/target/agent", "The target mode agent needs the name or id of one.")
	}
	if err := checkSelector(t.Target.Selector); err != nil {
		return err
	}
	if err := octopus.CheckSandbox(t.Sandbox); err != nil {
		return err
	}
	if err := octopus.CheckRepeat(t.Repeat); err != nil {
		return err
	}
	v, err := a.catalog.Resolve(ctx, t.Plugin, t.Version)
	if err != nil {
		return err
	}
	if _, err := a.catalog.Check(ctx, v, t.Action, t.Params); err != nil {
		return err
	}
	return a.checkOnLost(ctx, v, t.Work)
}

// checkAllowed refuses a new task that could not run yet, as the form does: something was not granted to its plugin, is
// not stored, or not filled in. A task that exists says so on itself.
func (a *API) checkAllowed(ctx context.Context, w octopus.Work) error {
	v, err := a.catalog.Resolve(ctx, w.Plugin, w.Version)
	if err != nil {
		return err
	}
	if missing := a.catalog.MissingGrants(ctx, v); len(missing) > 0 {
		return octopus.InvalidField("/plugin", "%s Grant it on the plugin's page, or with octopus plugins grant %s.", missing[0], v.Plugin)
	}
	if missing := a.catalog.MissingSecrets(ctx, v, w.Action); len(missing) > 0 {
		return octopus.InvalidField("/plugin", "%s", missing[0])
	}
	_, err = a.catalog.Config(ctx, v)
	return err
}

// checkOnLost: only an action that may start twice may be retried after a lost agent.
func (a *API) checkOnLost(ctx context.Context, v octopus.PluginVersion, w octopus.Work) error {
	if w.OnLost != octopus.OnLostRetry {
		return nil
	}
	m, err := a.catalog.Manifest(ctx, v.Digest)
	if err != nil {
		return err
	}
	if action, _ := m.Action(w.Action); !action.Idempotent {
		return octopus.InvalidField("/on_lost", "%s does not say that %s is idempotent, so it cannot be started again after a lost agent. Use on_lost fail.", v.Plugin, w.Action)
	}
	return nil
}

// checkTarget refuses a target that names an agent and would run elsewhere.
func checkTarget(t sdk.Target) error {
	if t.Agent != "" && t.Mode != string(octopus.TargetAgent) {
		return octopus.InvalidField("/target/agent", "Only a target of mode agent names one: set the mode to agent, or leave the agent out.")
	}
	return nil
}

func checkSelector(selector string) error {
	if _, err := octopus.ParseSelector(selector); err != nil {
		return octopus.InvalidField("/target/selector", "%s", octopus.Sentence(err))
	}
	return nil
}

// task returns a task that was not deleted.
func (a *API) task(ctx context.Context, idOrName string) (octopus.Task, error) {
	t, err := a.store.Task(ctx, idOrName)
	if err == nil && !t.DeletedAt.IsZero() {
		err = octopus.Errorf(octopus.CodeNotFound, "The task %s was deleted. Its runs are still there, and octopus tasks restore %s brings it back.", t.Name, t.ID)
	}
	return t, err
}

func (a *API) getTask(ctx context.Context, in *TaskID) (*one[sdk.Task], error) {
	t, err := a.task(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	body := a.toTask(ctx, t)
	body.Mismatch = a.catalog.Mismatch(ctx, t.Work)
	return &one[sdk.Task]{ETag: etag(t.Revision), Body: body}, nil
}

type updateTaskInput struct {
	Conditional
	TaskID
	Body sdk.TaskPatch `contentType:"application/merge-patch+json"`
}

func (a *API) updateTask(ctx context.Context, in *updateTaskInput) (*one[sdk.Task], error) {
	revision, err := in.revision()
	if err != nil {
		return nil, err
	}
	before, err := a.task(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	patched, err := a.patchTask(ctx, before, in.Body)
	if err != nil {
		return nil, err
	}
	if err := a.checkTask(ctx, &patched); err != nil {
		return nil, err
	}
	if revision == 0 {
		revision = before.Revision // what was read here is what is changed
	}
	caller, _ := auth.FromContext(ctx)
	t, err := a.store.UpdateTask(ctx, before.ID, revision, func(t *octopus.Task) error {
		patched.UpdatedBy, patched.Revision, patched.UpdatedAt = caller.Username, t.Revision, t.UpdatedAt
		*t = patched
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &one[sdk.Task]{ETag: etag(t.Revision), Body: a.toTask(ctx, t)}, nil
}

type deleteTaskInput struct {
	Conditional
	TaskID
}

func (a *API) deleteTask(ctx context.Context, in *deleteTaskInput) (*struct{}, error) {
	revision, err := in.revision()
	if err != nil {
		return nil, err
	}
	t, err := a.task(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return nil, a.store.DeleteTask(ctx, t.ID, revision)
}

func (a *API) restoreTask(ctx context.Context, in *TaskID) (*one[sdk.Task], error) {
	caller, _ := auth.FromContext(ctx)
	t, err := a.store.RestoreTask(ctx, in.ID, caller.Username)
	if err != nil {
		return nil, err
	}
	return &one[sdk.Task]{ETag: etag(t.Revision), Body: a.toTask(ctx, t)}, nil
}

type runTaskInput struct {
	Keyed
	Prefers
	Origin
	TaskID
	Body *sdk.RunTask `required:"false"`
}

func (a *API) runTask(ctx context.Context, in *runTaskInput) (*created[sdk.Run], error) {
	t, err := a.task(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	key, err := in.idempotency(ctx, "POST /tasks/"+t.ID+"/run")
	if err != nil {
		return nil, err
	}
	var changes dispatch.TaskChanges
	if in.Body != nil {
		if changes, err = taskChanges(ctx, t, *in.Body); err != nil {
			return nil, err
		}
	}
	caller, _ := auth.FromContext(ctx)
	return a.starting(ctx, key, in.Prefers, func() (octopus.Run, bool, error) {
		return a.dispatch.RunTask(ctx, t.ID, changes, caller.Username, in.source(), key)
	})
}

// taskChanges reads what one run has other than its task. What the sandbox is, the task's editors decide: to run it in
// another one needs as much as running the plugin without the task.
func taskChanges(ctx context.Context, t octopus.Task, b sdk.RunTask) (c dispatch.TaskChanges, err error) {
	c.DryRun = b.DryRun
	if len(b.Params) > 0 {
		if c.Params, err = mergePatch(t.Params, b.Params); err != nil {
			return c, err
		}
	}
	repeats := len(b.Clock) > 0 || len(b.Seed) > 0
	if b.Sandbox == nil && !repeats {
		return c, nil
	}
	if caller, err := auth.Allow(ctx, auth.RunAdhoc, auth.Object{Kind: "task", ID: t.ID}); err != nil {
		if octopus.CodeOf(err) != octopus.CodeDenied {
			return c, err
		}
		return c, octopus.Errorf(octopus.CodeDenied, "To run a task with another sandbox, clock or seed than its own needs the role %s, and this is the role %s. Leave them out, or ask an administrator.",
			auth.LeastRole(auth.RunAdhoc), caller.Role)
	}
	if b.Sandbox != nil {
		level := octopus.SandboxLevel(*b.Sandbox)
		c.Sandbox = &level
	}
	if repeats {
		repeat := t.Repeat
		c.Repeat = &repeat
		err = patchRepeat(c.Repeat, b.Clock, b.Seed)
	}
	return c, err
}

// TaskID turns a task's name in a filter into its id. An id passes unchanged, also of a task that was deleted.
func (a *API) taskID(ctx context.Context, idOrName string) (string, error) {
	if idOrName == "" || octopus.ValidID(octopus.PrefixTask, idOrName) {
		return idOrName, nil
	}
	t, err := a.store.Task(ctx, idOrName)
	return t.ID, err
}

// agentID does the same for agents.
func (a *API) agentID(ctx context.Context, idOrName string) (string, error) {
	if idOrName == "" || octopus.ValidID(octopus.PrefixAgent, idOrName) {
		return idOrName, nil
	}
	agent, err := a.store.Agent(ctx, idOrName)
	return agent.ID, err
}
