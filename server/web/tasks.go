package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"octopus/internal/octopus"
	"octopus/server/auth"
	"octopus/server/dispatch"
	"octopus/server/store"
	"octopus/views"
)

func (s *Web) taskRoutes(r chi.Router) {
	r.Get("/tasks", s.page(s.tasks))
	r.Post("/tasks", s.page(s.createTask))
	r.Get("/tasks/new", s.page(s.newTask))
	r.Post("/tasks/new", s.page(s.newTask)) // "Save as a task…" brings what was typed
	r.Get("/tasks/{id}", s.page(s.taskPage))
	r.Get("/tasks/{id}/edit", s.page(s.editTask))
	r.Post("/tasks/{id}", s.page(s.saveTask))
	r.Post("/tasks/{id}/{verb}", s.page(s.taskVerb))
}

func (s *Web) tasks(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	f := store.TaskFilter{Text: strings.TrimSpace(q.Get("text")), Folder: q.Get("folder"), Plugin: q.Get("plugin")}
	if v, err := strconv.ParseBool(q.Get("enabled")); err == nil {
		f.Enabled = &v
	}
	f.Deleted = q.Get("deleted") == "true"
	m := views.Tasks{Search: f.Text, Deleted: f.Deleted}
	if f.Deleted { // nothing on this page moves by itself
		m.Page = s.frame(w, r, "tasks", "Deleted tasks")
		m.CLI = "octopus tasks list --deleted"
	} else {
		m.Page = s.frame(w, r, "tasks", "Tasks", topicTasks)
		m.CLI = "octopus tasks list"
	}
	m.Crumbs = crumbs("Tasks")
	rows, next, err := s.cfg.Store.Tasks(r.Context(), f, store.Page{Limit: pageSize, Cursor: q.Get("cursor"), Descending: f.Deleted})
	if err != nil {
		return err
	}
	m.Rows, m.Any = rows, len(rows) > 0 || len(q) > 0
	m.Chips = taskChips(q)
	if next != "" {
		m.Pages.Next = changed("/tasks", q, "cursor", next)
	}
	if q.Get("cursor") != "" {
		m.Pages.First = changed("/tasks", q, "cursor", "")
	}
	return s.render(w, r, http.StatusOK, views.TasksPage(m))
}

func taskChips(q url.Values) (out []views.Link) {
	toggle := func(label, key, value string) {
		on := q.Get(key) == value
		to := value
		if on {
			to = ""
		}
		out = append(out, views.Link{Label: label, Href: changed("/tasks", q, key, to), Current: on})
	}
	toggle("enabled", "enabled", "true")
	toggle("disabled", "enabled", "false")
	toggle("deleted", "deleted", "true")
	for _, key := range []string{"folder", "plugin"} {
		if v := q.Get(key); v != "" {
			out = append(out, views.Link{Label: key + ": " + v, Href: changed("/tasks", q, key, ""), Current: true})
		}
	}
	return out
}

// changed is the address of a list with one key changed; another page of another filter makes no sense.
func changed(path string, q url.Values, key, value string) string {
	out := url.Values{}
	for k, v := range q {
		if k != "cursor" && len(v) > 0 && v[0] != "" {
			out[k] = v
		}
	}
	out.Set(key, value)
	if value == "" {
		out.Del(key)
	}
	if len(out) == 0 {
		return path
	}
	return path + "?" + out.Encode()
}

func (s *Web) taskPage(w http.ResponseWriter, r *http.Request) error {
	ctx, id := r.Context(), chi.URLParam(r, "id")
	m := views.Task{Page: s.frame(w, r, "tasks", "", topicRuns)}
	t, err := s.cfg.Store.Task(ctx, id)
	if err != nil {
		return err
	}
	m.Events += "&" + url.Values{"task": {t.ID}, "created_since": {"all"}}.Encode()
	m.Task, m.Title, m.Where = t, t.Name, views.TargetWords(t.Target)
	m.Crumbs = crumbs("Tasks", "/tasks", t.Name)
	switch {
	case !t.DeletedAt.IsZero():
		m.CLI = "octopus tasks restore " + t.ID
	case allow(r, auth.RunTask) == nil:
		m.CLI = "octopus tasks run " + shellWord(t.Name)
	default:
		m.CLI = "octopus tasks get " + shellWord(t.Name)
	}
	if c, err := s.choose(ctx, t.Plugin, t.Version, t.Action); err == nil {
		m.Params = shownParams(c.props, t.Params)
	} else {
		m.Params = s.paramsOf(ctx, "", t.Action, t.Params)
	}
	m.Facts = workFacts(t.Work)
	m.Mismatch = s.cfg.Catalog.Mismatch(ctx, t.Work)
	if len(t.Labels) > 0 {
		m.Facts = append(m.Facts, views.Pair{Label: "Labels", Text: strings.Join(views.LabelList(t.Labels), ", ")})
	}
	if m.Recent, _, err = s.cfg.Store.Runs(ctx, store.RunFilter{TaskID: t.ID}, store.Page{Limit: 20, Descending: true}); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, views.TaskPage(m))
}

// newTask is the form of a task that does not exist yet: of a plugin, or of what was typed into a run form.
func (s *Web) newTask(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.TaskEdit); err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return malformed(err)
	}
	m := views.TaskForm{Enabled: true}
	if r.Form.Get("plugin") == "" {
		list, err := s.pick(r.Context(), "", "")
		if err != nil {
			return err
		}
		m.Choices = forTask(list)
		return s.showTaskForm(w, r, http.StatusOK, m)
	}
	c, err := s.choose(r.Context(), r.Form.Get("plugin"), r.Form.Get("version"), r.Form.Get("action"))
	if err != nil {
		return err
	}
	f := workForm{work: octopus.Work{Version: r.Form.Get("version")}}
	if r.Method == http.MethodPost {
		f = readWork(r, c)
	}
	if m.Work, err = s.workView(r, c, f); err != nil {
		return err
	}
	return s.showTaskForm(w, r, http.StatusOK, m)
}

func (s *Web) showTaskForm(w http.ResponseWriter, r *http.Request, status int, m views.TaskForm) error {
	m.Page = s.frame(w, r, "tasks", "New task")
	m.Crumbs = crumbs("Tasks", "/tasks", "New task")
	if m.ID != "" {
		m.Title = "Edit " + m.Name
		m.Crumbs = crumbs("Tasks", "/tasks", m.Name, "/tasks/"+m.ID, "Edit")
		m.CLI = "octopus tasks edit " + shellWord(m.Name)
	}
	return s.render(w, r, status, views.TaskFormPage(m))
}

func (s *Web) editTask(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.TaskEdit); err != nil {
		return err
	}
	t, err := s.cfg.Store.Task(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	if !t.DeletedAt.IsZero() {
		return octopus.Errorf(octopus.CodeNotFound, "The task %s was deleted. Restore it first, then edit it.", t.Name)
	}
	c, err := s.choose(r.Context(), t.Plugin, t.Version, t.Action)
	if err != nil {
		return err
	}
	m := views.TaskForm{
		ID: t.ID, Revision: t.Revision, Name: t.Name, Description: t.Description, Folder: t.Folder,
		Labels: strings.Join(views.LabelList(t.Labels), ", "), Enabled: t.Enabled,
	}
	if m.Work, err = s.workView(r, c, fromWork(c, t.Work)); err != nil {
		return err
	}
	return s.showTaskForm(w, r, http.StatusOK, m)
}

// taskInput is a task form as it was sent.
type taskInput struct {
	workForm
	chosen chosen
	shown  views.TaskForm
	labels map[string]string
}

func (s *Web) readTask(r *http.Request) (taskInput, error) {
	if err := r.ParseForm(); err != nil {
		return taskInput{}, malformed(err)
	}
	form := r.PostForm
	c, err := s.choose(r.Context(), form.Get("plugin"), form.Get("version"), form.Get("action"))
	if err != nil {
		return taskInput{}, err
	}
	in := taskInput{workForm: readWork(r, c), chosen: c}
	in.shown = views.TaskForm{
		Name: strings.TrimSpace(form.Get("name")), Description: strings.TrimSpace(form.Get("description")),
		Folder: strings.TrimSpace(form.Get("folder")), Labels: form.Get("labels"), Enabled: form.Get("enabled") != "false",
	}
	in.shown.Revision, _ = strconv.ParseInt(form.Get("revision"), 10, 64) // 0 is any
	if in.labels, err = parseLabels(in.shown.Labels); err != nil {
		in.problems["labels"] = octopus.Sentence(err)
	}
	if err := octopus.CheckTaskName(in.shown.Name); err != nil {
		in.problems["name"] = octopus.Sentence(err)
	}
	return in, nil
}

// parseLabels reads "team=web, tier=1".
func parseLabels(text string) (map[string]string, error) {
	out := make(map[string]string)
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		key, value, ok := strings.Cut(part, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok || key == "" {
			return nil, octopus.InvalidField("/labels", "Labels are key=value with commas between them, such as env=prod, role=web.")
		}
		out[key] = value
	}
	return out, octopus.CheckLabels(out)
}

// checkTask asks the catalogue what it would say when the task runs: wrong parameters and missing grants are found
// before a task is saved, not at night.
func (s *Web) checkTask(r *http.Request, in *taskInput) {
	params, err := s.cfg.Catalog.Check(r.Context(), in.chosen.version, in.chosen.action.Name, in.work.Params)
	_ = params // defaults are filled in when it runs, so that a new version's defaults count
	if err != nil && !in.refused(err) {
		in.problem = octopus.Sentence(err)
	}
	if _, err := octopus.ParseSelector(in.work.Target.Selector); err != nil {
		in.problems["target"] = octopus.Sentence(err)
	}
	if missing := s.cfg.Catalog.MissingGrants(r.Context(), in.chosen.version); len(missing) > 0 && in.problem == "" {
		in.problem = "The task cannot run yet: " + strings.Join(missing, " ") + " An administrator can grant it."
	}
	if _, err := s.cfg.Catalog.Config(r.Context(), in.chosen.version); err != nil && in.problem == "" {
		in.problem = "The task cannot run yet: " + octopus.Sentence(err)
	}
	if lacks := s.cfg.Catalog.MissingSecrets(r.Context(), in.chosen.version, in.chosen.action.Name); len(lacks) > 0 && in.problem == "" {
		in.problem = "The task cannot run yet: " + strings.Join(lacks, " ")
	}
}

func (in *taskInput) ok() bool { return len(in.problems) == 0 && in.problem == "" }

func (in *taskInput) apply(t *octopus.Task) {
	t.Name, t.Description, t.Folder, t.Labels = in.shown.Name, in.shown.Description, in.shown.Folder, in.labels
	w := in.work
	w.Deadline, w.WaitTTL, w.LostAfter = t.Deadline, t.WaitTTL, t.LostAfter // what this form does not show
	t.Work = w
}

// again shows a form that was not taken; nothing typed is lost.
func (s *Web) again(w http.ResponseWriter, r *http.Request, in taskInput, status int) error {
	var err error
	if in.shown.Work, err = s.workView(r, in.chosen, in.workForm); err != nil {
		return err
	}
	return s.showTaskForm(w, r, status, in.shown)
}

func (s *Web) createTask(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.TaskEdit); err != nil {
		return err
	}
	in, err := s.readTask(r)
	if err != nil {
		return err
	}
	if s.checkTask(r, &in); !in.ok() {
		return s.again(w, r, in, http.StatusUnprocessableEntity)
	}
	by := subject(r).Username
	t := octopus.Task{
		ID: octopus.NewID(octopus.PrefixTask, s.now()), Type: octopus.TaskAdhoc, Enabled: true,
		Owner: by, CreatedBy: by, UpdatedBy: by,
	}
	in.apply(&t)
	made, _, err := s.cfg.Store.CreateTask(r.Context(), t, nil)
	if err != nil {
		if in.nameTaken(err) || in.refused(err) {
			return s.again(w, r, in, statusOf(err))
		}
		return err
	}
	return redirect(w, r, "/tasks/"+made.ID, "ok", "Saved. Run it from here, or over the API.")
}

// nameTaken puts a conflict where it belongs: at the name.
func (in *taskInput) nameTaken(err error) bool {
	var e *octopus.Error
	if !errors.As(err, &e) || e.Code != octopus.CodeConflict || !strings.Contains(strings.ToLower(e.Message), "name") {
		return false
	}
	in.problems["name"] = e.Message
	return true
}

func (s *Web) saveTask(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.TaskEdit); err != nil {
		return err
	}
	in, err := s.readTask(r)
	if err != nil {
		return err
	}
	old, err := s.cfg.Store.Task(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	in.shown.ID = old.ID
	in.work.Params = keepSecrets(in.chosen, old.Params, in.work.Params)
	if s.checkTask(r, &in); !in.ok() {
		return s.again(w, r, in, http.StatusUnprocessableEntity)
	}
	by := subject(r).Username
	saved, err := s.cfg.Store.UpdateTask(r.Context(), old.ID, in.shown.Revision, func(t *octopus.Task) error {
		in.apply(t)
		t.UpdatedBy = by
		return nil
	})
	if octopus.CodeOf(err) == octopus.CodeStale {
		in.problem = "Somebody else changed this task since you opened it. Your changes are below: open the task in another tab to compare, and save again to overwrite."
		in.shown.Revision = old.Revision
		return s.again(w, r, in, http.StatusPreconditionFailed)
	}
	if err != nil {
		if in.nameTaken(err) || in.refused(err) {
			return s.again(w, r, in, statusOf(err))
		}
		return err
	}
	return redirect(w, r, "/tasks/"+saved.ID, "ok", "Saved as revision "+strconv.FormatInt(saved.Revision, 10)+".")
}

func (s *Web) taskVerb(w http.ResponseWriter, r *http.Request) error {
	ctx, id := r.Context(), chi.URLParam(r, "id")
	back := "/tasks/" + id
	switch verb := chi.URLParam(r, "verb"); verb {
	case "run":
		if err := allow(r, auth.RunTask); err != nil {
			return err
		}
		run, _, err := s.cfg.Dispatch.RunTask(ctx, id, dispatch.TaskChanges{}, subject(r).Username, source, nil)
		if err != nil {
			return said(w, r, back, err)
		}
		return redirect(w, r, "/runs/"+run.ID, "", "")
	case "enable", "disable":
		if err := allow(r, auth.TaskEdit); err != nil {
			return err
		}
		by := subject(r).Username
		_, err := s.cfg.Store.UpdateTask(ctx, id, 0, func(t *octopus.Task) error {
			t.Enabled, t.UpdatedBy = verb == "enable", by
			return nil
		})
		if err != nil {
			return said(w, r, back, err)
		}
		return redirect(w, r, back, "ok", map[string]string{"enable": "Enabled.", "disable": "Disabled. It does not run until you enable it."}[verb])
	case "delete":
		if err := allow(r, auth.TaskEdit); err != nil {
			return err
		}
		t, err := s.cfg.Store.Task(ctx, id)
		if err != nil {
			return err
		}
		if err := s.cfg.Store.DeleteTask(ctx, t.ID, 0); err != nil {
			return said(w, r, back, err)
		}
		return redirectUndo(w, r, "/tasks", "Deleted "+t.Name+". What it ran stays in the history.", "/tasks/"+t.ID+"/restore")
	case "restore":
		if err := allow(r, auth.TaskEdit); err != nil {
			return err
		}
		t, err := s.cfg.Store.RestoreTask(ctx, id, subject(r).Username)
		if err != nil {
			return said(w, r, back, err)
		}
		return redirect(w, r, "/tasks/"+t.ID, "ok", "Restored, as it was.")
	}
	return s.notFound(w, r)
}
