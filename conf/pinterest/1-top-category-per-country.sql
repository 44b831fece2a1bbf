-- 1. The most posted category of each country, with its number of posts. A post belongs to the country that geo has for its ind.
--    Categories that share the first place are all shown; a post without a category is counted as one of its own (null).
WITH counts AS (
    SELECT country, category, count(*) AS category_count
    FROM pin JOIN geo USING (ind)
    GROUP BY country, category
), ranked AS (
    SELECT *, rank() OVER (PARTITION BY country ORDER BY category_count DESC) AS place
    FROM counts
)
SELECT country, category, category_count
FROM ranked
WHERE place = 1
ORDER BY country, category;
