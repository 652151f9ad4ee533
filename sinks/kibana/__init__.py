"""Panels described once, saved objects of Kibana out: data views, searches and dashboards.

`dashboards` says what is shown, `lens` and `saved_objects` write it in Kibana's form, `requests`
asks Elasticsearch what a panel would ask. Kibana itself is not needed for any of it, and the tests
do not run one: docs/kibana.md says what was checked and what was not.
"""
