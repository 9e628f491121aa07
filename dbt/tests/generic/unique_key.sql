{#-
  No two rows share `columns`. In a mart of which only some rows are built anew (see among_restated) those are looked at; on a
  first build the test that counts its rows speaks for the key, and ranking every key of a long history once more would cost
  as much as building it.
-#}
{% test unique_key(model, columns, restated=none, restated_keys=none) %}
select {{ columns | join(', ') }}
from {{ model }}
{{ among_restated(restated, restated_keys, columns) }}
group by all
having count(*) > 1
{% endtest %}
