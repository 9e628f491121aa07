select
    talk._region as region,
    talk.conversation_id,
    talk._key as conversation_key,
    {{ local_day('conversations', 'talk') }} as day,
    talk.inserted_at,
    customers.pseudonym as customer_key,
    authors.pseudonym as author_key,
    talk.message_id,
    talk.type,
    talk.page_id,
    talk.has_phone,
    talk.is_hidden,
    talk.is_removed,
    talk.like_count
from {{ current_versions('conversations', restated='fct_conversations') }} as talk
inner join {{ pseudonyms() }} as customers
    on customers.region = talk._region and customers.identifier = talk.customer_id
inner join {{ pseudonyms() }} as authors
    on authors.region = talk._region and authors.identifier = talk.from_id
