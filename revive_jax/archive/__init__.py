"""The archive: many films, on many machines, whatever dies on the way.

What is to be done is in a manifest. Each film is measured, cut at shots into
shares, and joined; each of these is a task that can run twice without harm: it
writes beside, and renames. `scheduler` says which task is next, and what
becomes of a film whose worker died; a pool runs them: on a Ray cluster
(`ray_cluster`, whose workers run `worker`, on `machines` that can do it), or in
processes of this machine (`processes`).
"""
