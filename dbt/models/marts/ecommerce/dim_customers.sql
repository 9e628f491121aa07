select
    customers._region as region,
    pseudonyms.pseudonym as customer_key,
    customers.gender,
    cast(year(customers.birth_date) // 10 * 10 as integer) as birth_decade,
    customers.area
from {{ current_versions('customers') }} as customers
inner join {{ pseudonyms() }} as pseudonyms
    on pseudonyms.region = customers._region and pseudonyms.identifier = customers.customer_id
