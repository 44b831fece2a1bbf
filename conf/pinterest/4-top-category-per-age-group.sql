-- 4. The most posted category of each age group, with its number of posts. Groups: 18-24, 25-35, 36-50, 50+ (51 and above); ages that are
--    unknown or below 18 are left out. Categories that share the first place are all shown.
WITH aged AS (
    SELECT ind, CASE WHEN age <= 24 THEN '18-24' WHEN age <= 35 THEN '25-35' WHEN age <= 50 THEN '36-50' ELSE '50+' END AS age_group
    FROM user
    WHERE age >= 18
), counts AS (
    SELECT age_group, category, count(*) AS category_count
    FROM pin JOIN aged USING (ind)
    GROUP BY age_group, category
), ranked AS (
    SELECT *, rank() OVER (PARTITION BY age_group ORDER BY category_count DESC) AS place
    FROM counts
)
SELECT age_group, category, category_count
FROM ranked
WHERE place = 1
ORDER BY age_group, category;
