-- 5. The median follower count of each age group, over posts (a poster counts as often as there are posts). Groups: 18-24, 25-35, 36-50, 50+ (51 and above); ages
--    that are unknown or below 18 are left out. The median is percentile_approx(x, 0.5), an element of the data.
WITH aged AS (
    SELECT ind, CASE WHEN age <= 24 THEN '18-24' WHEN age <= 35 THEN '25-35' WHEN age <= 50 THEN '36-50' ELSE '50+' END AS age_group
    FROM user
    WHERE age >= 18
)
SELECT age_group, percentile_approx(follower_count, 0.5) AS median_follower_count
FROM pin JOIN aged USING (ind)
GROUP BY age_group
ORDER BY age_group;
