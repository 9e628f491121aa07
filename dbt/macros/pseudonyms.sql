{#-
  The pseudonyms, to be joined to rows that name persons. DuckDB keeps the side in memory that it takes for the smaller one.
  It guesses of any filter that it leaves a fifth, so that rows of silver which count look like a 25th of what they are and
  fewer than there are persons: it would keep all of them. A filter that holds for each pseudonym has these look as few too.
-#}
{% macro pseudonyms() -%}
    (select * from {{ source('clearer', 'pseudonyms') }} where pseudonym is not null)
{%- endmacro %}
