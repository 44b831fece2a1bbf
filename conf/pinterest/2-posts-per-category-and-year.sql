-- 2. Posts of each category in each year from 2018 to 2022. The year is that of geo's timestamp.
SELECT year(timestamp) AS post_year, category, count(*) AS category_count
FROM pin JOIN geo USING (ind)
WHERE timestamp >= '2018-01-01' AND timestamp < '2023-01-01'
GROUP BY post_year, category
ORDER BY post_year, category;
